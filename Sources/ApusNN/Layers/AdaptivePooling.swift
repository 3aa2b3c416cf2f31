import ApusTensor

/// The number of windows along each spatial axis of an adaptive pooling layer.
private struct AdaptiveSize: Sendable {
  /// The number along each axis; `nil` for one window per element.
  private let output: [Int?]

  init(_ output: [Int?], rank: Int, _ layer: String) {
    guard output.count == rank, output.allSatisfy({ ($0 ?? 1) > 0 }) else {
      fatalError(
        "\(layer): expected \(rank.text(of: "size")) of 1 or more, got \(output.map { $0.map(String.init) ?? "nil" })")
    }
    self.output = output
  }

  /// The sizes for an input. Reports an error and returns `nil` if the shape does not fit.
  func sizes(for x: Tensor, _ layer: String) -> [Int]? {
    guard x.rank == output.count + 2, x.shape.dropFirst(2).allSatisfy({ $0 > 0 }) else {
      ShapeError(layer, "\(x.shape) is not [batch, channels, \(output.count) axes with elements]").report()
      return nil
    }
    return zip(output, x.shape.dropFirst(2)).map { $0 ?? $1 }
  }
}

/// The means of a given number of windows, for inputs of any size: `x: [batch, channels, spatial…]` to
/// `[batch, channels, output…]`. Window `i` of `out` along an axis of `in` elements covers the elements
/// `⌊i·in/out⌋ ..< ⌈(i+1)·in/out⌉`. A single example is `[channels, spatial…]`, and its result has no batch axis
/// either.
public struct AdaptiveAvgPool<let rank: Int>: Layer {
  private let size: AdaptiveSize

  /// - Parameter output: the number of windows along each spatial axis; `nil` for one window per element.
  /// - Precondition: there is one number for each spatial axis, and each is at least 1.
  public init(_ output: [Int?]) { size = AdaptiveSize(output, rank: rank, Self.typeName) }

  /// A pooling layer with `output` windows along every axis.
  public init(_ output: Int) { self.init(Array(repeating: output, count: rank)) }

  public static var typeName: String { "AdaptiveAvgPool\(rank)d" }
  public var members: [ModuleMember] { [] }

  public func callAsFunction(_ x: Tensor) -> Tensor {
    x.asBatch(ofRank: rank + 2) { x in size.sizes(for: x, Self.typeName).map { x.adaptiveAveragePooled($0) } ?? x }
  }
}

/// The maximum of each window, with the windows of `AdaptiveAvgPool`: `x: [batch, channels, spatial…]` to
/// `[batch, channels, output…]`. If the number of windows along each axis divides the extent of the axis, the gradient
/// goes to the first of equal maxima; otherwise equal maxima share the gradient. A single example is
/// `[channels, spatial…]`, and its result has no batch axis either.
public struct AdaptiveMaxPool<let rank: Int>: Layer {
  private let size: AdaptiveSize

  /// - Parameter output: the number of windows along each spatial axis; `nil` for one window per element.
  /// - Precondition: there is one number for each spatial axis, and each is at least 1.
  public init(_ output: [Int?]) { size = AdaptiveSize(output, rank: rank, Self.typeName) }

  /// A pooling layer with `output` windows along every axis.
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
