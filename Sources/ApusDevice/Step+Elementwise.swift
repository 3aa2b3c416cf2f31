/// One program over a list of domains. A strided copy is a program without instructions; an
/// optimizer's update of all parameters is one step with a segment for each.
public struct Elementwise: Hashable, Sendable {
  public var program: Program
  public var segments: [Binding]

  public init(program: Program, segments: [Binding]) {
    self.program = program
    self.segments = segments
  }
}

/// A reduction of the outputs of a program over some axes of its domain.
///
/// `prologue` runs over `domain`; output `i` of it is combined by `reducers[i]` over the axes in
/// `axes`; `epilogue` runs on the combined values, over the domain with those axes' extents set to 1.
/// Values are combined in an order that depends on the shape alone.
public struct Reduction: Hashable, Sendable {
  public var domain: Shape
  /// The reduced axes, ascending.
  public var axes: [Int]
  public var prologue: Program
  /// Parallel to `prologue.inputs`; layouts have the shape of `domain`.
  public var arguments: [Argument]
  /// Rows of `Kernels/reduce.def`, one for each output of the prologue: `sum`, `product`, `min`,
  /// `max` (NaN wins), `any`, `all`, and `argmin` and `argmax`, whose result is the `int64` row-major
  /// number of the first extreme element (NaN wins) among the reduced axes.
  public var reducers: [String]
  public var epilogue: Epilogue

  public init(
    domain: Shape, axes: [Int], prologue: Program, arguments: [Argument], reducers: [String],
    epilogue: Epilogue
  ) {
    self.domain = domain
    self.axes = axes
    self.prologue = prologue
    self.arguments = arguments
    self.reducers = reducers
    self.epilogue = epilogue
  }
}

/// An inclusive running `sum` or `product` along the middle axis of `[outer, extent, inner]`.
public struct Scan: Hashable, Sendable {
  public var outer: Int
  public var extent: Int
  public var inner: Int
  public var combine: String
  public var isReversed: Bool
  public var dtype: DType
  /// Contiguous values `[outer, extent, inner]`.
  public var source: Int
  public var result: Int

  public init(
    outer: Int, extent: Int, inner: Int, combine: String, isReversed: Bool, dtype: DType,
    source: Int, result: Int
  ) {
    self.outer = outer
    self.extent = extent
    self.inner = inner
    self.combine = combine
    self.isReversed = isReversed
    self.dtype = dtype
    self.source = source
    self.result = result
  }
}
