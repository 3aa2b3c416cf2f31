public import Kernels

/// A program (a list of elementwise instructions) that runs over each of several segments. A segment is a shape to run
/// over (the domain) with its input and result arrays. A strided copy is a program without instructions; an optimizer's
/// update of all parameters is one step with a segment for each parameter.
public struct Elementwise: Hashable, Sendable {
  /// The program that runs for each element.
  public var program: Program
  /// The domain and the arrays of each segment.
  public var segments: [Binding]

  /// Creates a step from its program and segments.
  public init(program: Program, segments: [Binding]) {
    self.program = program
    self.segments = segments
  }

  /// Creates a step that copies all elements of one value of a plan to another of the same type and element count.
  /// - Parameters:
  ///   - source: the index of the source in the plan's values.
  ///   - target: the index of the target in the plan's values.
  ///   - value: either of the two values; it gives the element type and count.
  package init(copying source: Int, to target: Int, as value: Plan.Value) {
    let layout = Layout(contiguous: [value.elementCount])
    let program = Program(
      inputs: [.tensor(value.dtype)], outputs: [Program.Output(register: 0, dtype: value.dtype)])
    let binding = Binding(
      domain: [value.elementCount], arguments: [.tensor(Operand(value: source, layout: layout))],
      results: [Operand(value: target, layout: layout)])
    self.init(program: program, segments: [binding])
  }
}

/// A reduction of the outputs of a program over some axes of its domain.
///
/// `prologue` runs over `domain`; `reducers[i]` combines output `i` of the prologue over the axes in `axes`; `epilogue`
/// runs on the combined values, over the domain with those axes' extents set to 1. The order in which values are
/// combined depends only on the shape.
public struct Reduction: Hashable, Sendable {
  /// The shape that the prologue runs over.
  public var domain: Shape
  /// The reduced axes, ascending.
  public var axes: [Int]
  /// The program that runs for each element before the reduction.
  public var prologue: Program
  /// The arguments of the prologue, parallel to `prologue.inputs`; their layouts have the shape of `domain`.
  public var arguments: [Argument]
  /// The reduction of each output of the prologue: `sum`, `product`, `min`, `max`, `any`, `all`, `argmin` or `argmax`.
  /// An `argmin` or `argmax` is the `int64` row-major index, over the reduced axes, of the first extreme element.
  /// `min`, `max`, `argmin` and `argmax` prefer NaN to numbers.
  public var reducers: [ReductionRow]
  /// The program that runs on the combined values.
  public var epilogue: Epilogue

  /// Creates a reduction from its fields.
  public init(
    domain: Shape, axes: [Int], prologue: Program, arguments: [Argument], reducers: [ReductionRow],
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
  /// The product of the extents before the axis.
  public var outer: Int
  /// The extent of the axis.
  public var extent: Int
  /// The product of the extents after the axis.
  public var inner: Int
  /// `sum` or `product`.
  public var combine: ReductionRow
  /// Whether the scan runs from the end of the axis to its start.
  public var isReversed: Bool
  /// The element type of source and result.
  public var dtype: DType
  /// The index into `Plan.values` of a contiguous array `[outer, extent, inner]`.
  public var source: Int
  /// The index into `Plan.values` of a contiguous array of the source's shape.
  public var result: Int

  /// Creates a scan from its sizes and values.
  public init(
    outer: Int, extent: Int, inner: Int, combine: ReductionRow, isReversed: Bool, dtype: DType,
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

extension Elementwise: StepFamily {
  func mapped(read: (Int) -> Int, write: (Int) -> Int) -> Elementwise {
    var step = self
    step.segments = step.segments.map { $0.mapped(read, write) }
    return step
  }
}

extension Reduction: StepFamily {
  func mapped(read: (Int) -> Int, write: (Int) -> Int) -> Reduction {
    var step = self
    step.arguments = step.arguments.map { $0.mapped(read) }
    step.epilogue = step.epilogue.mapped(read, write)
    return step
  }
}

extension Scan: StepFamily {
  func mapped(read: (Int) -> Int, write: (Int) -> Int) -> Scan {
    var step = self
    step.source = read(step.source)
    step.result = write(step.result)
    return step
  }
}
