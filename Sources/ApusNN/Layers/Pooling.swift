import ApusTensor

/// The maximum of each window: `[batch, channels, spatial…]` to `[batch, channels, out…]` with
/// `out = ⌊(in + before + after − dilation·(window − 1) − 1) / stride⌋ + 1`; `in` is the extent of the spatial axis,
/// and `before` and `after` are the padding. A single example is `[channels, spatial…]`, and its result has no batch
/// axis either.
public struct MaxPool<let rank: Int>: Layer {
  private let window: [Int]
  private let stride: [Int]
  private let padding: [(before: Int, after: Int)]
  private let dilation: [Int]
  private let roundsUp: Bool

  /// - Parameters:
  ///   - stride: the distance between windows; by default the window's extents.
  ///   - padding: at most half of the window; padding never provides the maximum.
  ///   - dilation: the distance between the elements of a window.
  ///   - roundsUp: whether the last window may extend beyond the end (PyTorch's `ceil_mode`).
  public init(
    _ window: Extents, stride: Extents? = nil, padding: Padding = 0, dilation: Extents = 1, roundsUp: Bool = false
  ) {
    let name = Self.typeName
    self.window = window.spread(rank, name)
    self.stride = (stride ?? window).spread(rank, name)
    self.dilation = dilation.spread(rank, name)
    self.padding = padding.amounts(rank, kernel: self.window, dilation: self.dilation, name)
    self.roundsUp = roundsUp
  }

  public static var typeName: String { "MaxPool\(rank)d" }
  public var members: [ModuleMember] { [] }

  public func callAsFunction(_ x: Tensor) -> Tensor {
    x.maxPooled(window, stride: stride, padding: padding, dilation: dilation, roundsUp: roundsUp)
  }
}

/// The mean of each window: `[batch, channels, spatial…]` to `[batch, channels, out…]` with
/// `out = ⌊(in + before + after − window) / stride⌋ + 1`; `in` is the extent of the spatial axis, and `before` and
/// `after` are the padding. A single example is `[channels, spatial…]`, and its result has no batch axis either.
public struct AvgPool<let rank: Int>: Layer {
  private let window: [Int]
  private let stride: [Int]
  private let padding: [(before: Int, after: Int)]
  private let roundsUp: Bool
  private let countsPadding: Bool

  /// - Parameters:
  ///   - stride: the distance between windows; by default the window's extents.
  ///   - padding: at most half of the window.
  ///   - countsPadding: whether the mean includes the padding, as zeros. Otherwise the padding is left out.
  ///   - roundsUp: whether the last window may extend beyond the end (PyTorch's `ceil_mode`).
  public init(
    _ window: Extents, stride: Extents? = nil, padding: Padding = 0, roundsUp: Bool = false,
    countsPadding: Bool = true
  ) {
    let name = Self.typeName
    self.window = window.spread(rank, name)
    self.stride = (stride ?? window).spread(rank, name)
    self.padding = padding.amounts(
      rank, kernel: self.window, dilation: Array(repeating: 1, count: rank), name)
    self.roundsUp = roundsUp
    self.countsPadding = countsPadding
  }

  public static var typeName: String { "AvgPool\(rank)d" }
  public var members: [ModuleMember] { [] }

  public func callAsFunction(_ x: Tensor) -> Tensor {
    x.averagePooled(
      window, stride: stride, padding: padding, roundsUp: roundsUp, countsPadding: countsPadding)
  }
}

/// The mean over all spatial axes: `[batch, channels, spatial…]` to `[batch, channels]`.
public struct GlobalAveragePool: Layer {
  public init() {}
  public var members: [ModuleMember] { [] }

  public func callAsFunction(_ x: Tensor) -> Tensor { x.mean(axes: Array(2..<Swift.max(x.rank, 2))) }
}

/// The maximum over all spatial axes: `[batch, channels, spatial…]` to `[batch, channels]`. The gradient is divided
/// among equal maxima.
public struct GlobalMaxPool: Layer {
  public init() {}
  public var members: [ModuleMember] { [] }

  public func callAsFunction(_ x: Tensor) -> Tensor { x.max(axes: Array(2..<Swift.max(x.rank, 2))) }
}

public typealias MaxPool1d = MaxPool<1>
public typealias MaxPool2d = MaxPool<2>
public typealias MaxPool3d = MaxPool<3>
public typealias AvgPool1d = AvgPool<1>
public typealias AvgPool2d = AvgPool<2>
public typealias AvgPool3d = AvgPool<3>
