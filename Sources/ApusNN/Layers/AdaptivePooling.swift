import ApusTensor

/// What the adaptive poolings share: the number of windows along each spatial axis.
private struct AdaptiveSize: Sendable {
  /// `nil` for as many as the axis has elements.
  private let output: [Int?]

  init(_ output: [Int?], rank: Int, _ layer: String) {
    guard output.count == rank, output.allSatisfy({ ($0 ?? 1) > 0 }) else {
      fatalError("\(layer): the sizes \(output.map { $0.map(String.init) ?? "nil" }) must be \(rank), each 1 or more")
    }
    self.output = output
  }

  /// The sizes for an input; what does not fit is reported.
  func sizes(for x: Tensor, _ layer: String) -> [Int]? {
    guard x.rank == output.count + 2, x.shape.dropFirst(2).allSatisfy({ $0 > 0 }) else {
      ShapeError(layer, "\(x.shape) is not [batch, channels, \(output.count) axes that are not empty]").report()
      return nil
    }
    return zip(output, x.shape.dropFirst(2)).map { $0 ?? $1 }
  }
}

/// The means of as many windows as asked for, whatever the size of the input:
/// `x: [batch, channels, spatial…]` to `[batch, channels, output…]`. Window `i` of `out` along an axis of `in` elements
/// holds `⌊i·in/out⌋ ..< ⌈(i+1)·in/out⌉`.
public struct AdaptiveAvgPool<let rank: Int>: Layer {
  private let size: AdaptiveSize

  /// - Parameter output: the windows along each spatial axis, `nil` for as many as it has elements.
  public init(_ output: [Int?]) { size = AdaptiveSize(output, rank: rank, Self.typeName) }

  /// A pooling with `output` windows along every axis.
  public init(_ output: Int) { self.init(Array(repeating: output, count: rank)) }

  public static var typeName: String { "AdaptiveAvgPool\(rank)d" }
  public var members: [ModuleMember] { [] }

  public func callAsFunction(_ x: Tensor) -> Tensor {
    x.asBatch(ofRank: rank + 2) { x in size.sizes(for: x, Self.typeName).map { x.adaptiveAveragePooled($0) } ?? x }
  }
}

/// The largest elements of the windows of `AdaptiveAvgPool`. The gradient goes to the first of equal ones where all
/// windows of an axis have one size, and is shared among them elsewhere.
public struct AdaptiveMaxPool<let rank: Int>: Layer {
  private let size: AdaptiveSize

  /// - Parameter output: the windows along each spatial axis, `nil` for as many as it has elements.
  public init(_ output: [Int?]) { size = AdaptiveSize(output, rank: rank, Self.typeName) }

  /// A pooling with `output` windows along every axis.
  public init(_ output: Int) { self.init(Array(repeating: output, count: rank)) }

  public static var typeName: String { "AdaptiveMaxPool\(rank)d" }
  public var members: [ModuleMember] { [] }

  public func callAsFunction(_ x: Tensor) -> Tensor {
    x.asBatch(ofRank: rank + 2) { x in size.sizes(for: x, Self.typeName).map { x.adaptiveMaxPooled($0) } ?? x }
  }
}

public typealias AdaptiveAvgPool1d = AdaptiveAvgPool<1>
public typealias AdaptiveAvgPool2d = AdaptiveAvgPool<2>
public typealias AdaptiveAvgPool3d = AdaptiveAvgPool<3>
public typealias AdaptiveMaxPool1d = AdaptiveMaxPool<1>
public typealias AdaptiveMaxPool2d = AdaptiveMaxPool<2>
public typealias AdaptiveMaxPool3d = AdaptiveMaxPool<3>
