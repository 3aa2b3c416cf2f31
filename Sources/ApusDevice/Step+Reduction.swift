public import Kernels

/// A reduction of the outputs of a program over some axes of its domain.
///
/// `prologue` runs over `domain`. `reducers[i]` combines output `i` of the prologue over the axes in `axes`. `epilogue`
/// runs on the combined values, over the domain with the extents of the reduced axes set to 1. The order in which
/// values are combined depends only on the shape.
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

extension Reduction: StepFamily {
  func mapped(read: (Int) -> Int, write: (Int) -> Int) -> Reduction {
    var step = self
    step.arguments = step.arguments.map { $0.mapped(read) }
    step.epilogue = step.epilogue.mapped(read, write)
    return step
  }
}
