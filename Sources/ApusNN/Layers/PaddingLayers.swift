import ApusTensor

/// The padding around the spatial axes, for the padding layers.
private struct Border: Sendable {
  private let amounts: [(before: Int, after: Int)]

  init(_ padding: Padding, rank: Int, _ layer: String) {
    if case .same = padding { fatalError("\(layer): padding .same needs a kernel") }
    let ones = Array(repeating: 1, count: rank)
    amounts = padding.amounts(rank, kernel: ones, dilation: ones, layer)
    guard amounts.allSatisfy({ $0.before >= 0 && $0.after >= 0 }) else {
      fatalError("\(layer): the padding \(amounts) must not be negative")
    }
  }

  /// The padding of each axis of `x: [batch, channels, spatial…]` or `[channels, spatial…]`; axes that are not spatial
  /// have a padding of 0. Reports an error and returns `nil` if `x` has another rank or a padding is above `most`.
  ///
  /// - Parameter most: returns the maximum padding on one side of an axis with a given extent.
  func around(_ x: Tensor, _ layer: String, most: (_ extent: Int) -> Int = { _ in .max }) -> [(
    before: Int, after: Int
  )]? {
    let lead = x.rank - amounts.count
    guard lead == 1 || lead == 2 else {
      ShapeError(layer, "\(x.shape) is not [batch, channels, \(amounts.count) spatial axes]").report()
      return nil
    }
    for (index, amount) in amounts.enumerated() {
      let (axis, room) = (index + lead, max(most(x.shape[index + lead]), 0))
      guard max(amount.before, amount.after) > room else { continue }
      let largest = max(amount.before, amount.after)
      ShapeError(layer, "a padding of \(largest) exceeds the maximum \(room) of axis \(axis) of \(x.shape)").report()
      return nil
    }
    return Array(repeating: (before: 0, after: 0), count: lead) + amounts
  }
}

/// Pads the spatial axes of `x: [batch, channels, spatial…]` or `[channels, spatial…]` with `value`, by default 0: each
/// spatial extent `in` becomes `before + in + after`. PyTorch's `ZeroPad` and `ConstantPad` take lists of amounts that
/// begin with the last axis; here the amounts are in the order of the axes.
public struct ConstantPad<let rank: Int>: Layer {
  /// The padding value.
  public let value: Double
  private let border: Border

  /// - Precondition: no amount is negative.
  public init(_ padding: Padding, value: Double = 0) {
    border = Border(padding, rank: rank, Self.typeName)
    self.value = value
  }

  public static var typeName: String { "ConstantPad\(rank)d" }
  public var members: [ModuleMember] { [] }

  public func callAsFunction(_ x: Tensor) -> Tensor {
    border.around(x, Self.typeName).map { x.padded(by: $0, value: value) } ?? x
  }
}

/// Mirrors `x: [batch, channels, spatial…]` or `[channels, spatial…]` at both ends of each spatial axis, without
/// repeating the first and the last element: `c b | a b c | b a`. Each spatial extent `in` becomes
/// `before + in + after`. The padding on each side must be shorter than the axis.
public struct ReflectionPad<let rank: Int>: Layer {
  private let border: Border

  /// - Precondition: no amount is negative.
  public init(_ padding: Padding) { border = Border(padding, rank: rank, Self.typeName) }

  public static var typeName: String { "ReflectionPad\(rank)d" }
  public var members: [ModuleMember] { [] }

  public func callAsFunction(_ x: Tensor) -> Tensor {
    border.around(x, Self.typeName, most: { $0 - 1 }).map { x.padded(by: $0, mode: .reflect) } ?? x
  }
}

/// Repeats the first and last elements of `x: [batch, channels, spatial…]` or `[channels, spatial…]` around the spatial
/// axes: `a a | a b c | c c`. Each spatial extent `in` becomes `before + in + after`.
public struct ReplicationPad<let rank: Int>: Layer {
  private let border: Border

  /// - Precondition: no amount is negative.
  public init(_ padding: Padding) { border = Border(padding, rank: rank, Self.typeName) }

  public static var typeName: String { "ReplicationPad\(rank)d" }
  public var members: [ModuleMember] { [] }

  public func callAsFunction(_ x: Tensor) -> Tensor {
    border.around(x, Self.typeName, most: { $0 == 0 ? 0 : .max }).map { x.padded(by: $0, mode: .replicate) } ?? x
  }
}

/// Continues `x: [batch, channels, spatial…]` or `[channels, spatial…]` periodically around its spatial axes:
/// `b c | a b c | a b`. Each spatial extent `in` becomes `before + in + after`. The padding on each side must not be
/// longer than the axis.
public struct CircularPad<let rank: Int>: Layer {
  private let border: Border

  /// - Precondition: no amount is negative.
  public init(_ padding: Padding) { border = Border(padding, rank: rank, Self.typeName) }

  public static var typeName: String { "CircularPad\(rank)d" }
  public var members: [ModuleMember] { [] }

  public func callAsFunction(_ x: Tensor) -> Tensor {
    border.around(x, Self.typeName, most: { $0 }).map { x.padded(by: $0, mode: .circular) } ?? x
  }
}

public typealias ZeroPad1d = ConstantPad<1>
public typealias ZeroPad2d = ConstantPad<2>
public typealias ZeroPad3d = ConstantPad<3>
public typealias ConstantPad1d = ConstantPad<1>
public typealias ConstantPad2d = ConstantPad<2>
public typealias ConstantPad3d = ConstantPad<3>
public typealias ReflectionPad1d = ReflectionPad<1>
public typealias ReflectionPad2d = ReflectionPad<2>
public typealias ReflectionPad3d = ReflectionPad<3>
public typealias ReplicationPad1d = ReplicationPad<1>
public typealias ReplicationPad2d = ReplicationPad<2>
public typealias ReplicationPad3d = ReplicationPad<3>
public typealias CircularPad1d = CircularPad<1>
public typealias CircularPad2d = CircularPad<2>
public typealias CircularPad3d = CircularPad<3>
