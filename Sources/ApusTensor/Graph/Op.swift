import ApusDevice
import Synchronization

/// A primitive operation: its name, shape rule, gradient rule and lowering. Each operation has one static instance,
/// declared next to the methods that build it; nodes refer to it by identity.
final class Op: Sendable {
  /// A small number that identifies the operation in plan keys.
  let id: UInt16
  let name: String
  /// The public method or operator that builds the operation: the name in shape errors.
  let method: String
  /// Checks the inputs and returns the type of the result.
  let shape: @Sendable (borrowing OpInputs, Attributes) throws(ShapeError) -> TensorType
  let gradient: GradientRule
  let lower: Lowering
  /// Whether the operation has several results. Each result is then a node of the operation `result`.
  let hasSeveralResults: Bool
  /// Whether the result is another layout of the input's elements.
  let isView: Bool

  private static let count = Atomic<UInt16>(0)

  init(
    name: String, method: String? = nil,
    shape: @escaping @Sendable (borrowing OpInputs, Attributes) throws(ShapeError) -> TensorType,
    gradient: GradientRule, lower: Lowering
  ) {
    id = Op.count.add(1, ordering: .relaxed).newValue
    self.name = name
    self.method = method ?? name
    self.shape = shape
    self.gradient = gradient
    self.lower = lower
    switch lower {
    case .loop, .customGradientResults, .custom, .deferred: hasSeveralResults = true
    default: hasSeveralResults = false
    }
    if case .view = lower { isView = true } else { isView = false }
  }
}

/// The shape and element type of a tensor.
public struct TensorType: Hashable, Sendable {
  /// The extents, outermost first.
  public var shape: Shape
  /// The element type.
  public var dtype: DType

  /// Creates a type from its components.
  public init(_ shape: Shape, _ dtype: DType) {
    self.shape = shape
    self.dtype = dtype
  }
}

/// The inputs of an operation; up to three are stored inline.
struct OpInputs: ~Copyable {
  var first: Node?
  var second: Node?
  var third: Node?
  var others: [Node]

  init(_ first: Node? = nil, _ second: Node? = nil, _ third: Node? = nil) {
    self.first = first
    self.second = second
    self.third = third
    others = []
  }

  init(list: [Node]) {
    first = list.count > 0 ? list[0] : nil
    second = list.count > 1 ? list[1] : nil
    third = list.count > 2 ? list[2] : nil
    others = list.count > 3 ? Array(list[3...]) : []
  }

  @inline(__always) var count: Int {
    if first == nil { return 0 }
    if second == nil { return 1 }
    if third == nil { return 2 }
    return 3 + others.count
  }

  /// The shape of input `index`, read without retaining the node.
  @inline(__always) func shape(_ index: Int) -> Shape {
    switch index {
    case 0: first.unsafelyUnwrapped.shape
    case 1: second.unsafelyUnwrapped.shape
    case 2: third.unsafelyUnwrapped.shape
    default: others[index - 3].shape
    }
  }

  /// The device of input `index`.
  @inline(__always) func device(_ index: Int) -> Unmanaged<ComputeDevice> {
    switch index {
    case 0: first.unsafelyUnwrapped.deviceReference
    case 1: second.unsafelyUnwrapped.deviceReference
    case 2: third.unsafelyUnwrapped.deviceReference
    default: others[index - 3].deviceReference
    }
  }

  /// The element type of input `index`.
  @inline(__always) func dtype(_ index: Int) -> DType {
    switch index {
    case 0: first.unsafelyUnwrapped.dtype
    case 1: second.unsafelyUnwrapped.dtype
    case 2: third.unsafelyUnwrapped.dtype
    default: others[index - 3].dtype
    }
  }

  @inline(__always) subscript(index: Int) -> Node {
    switch index {
    case 0: first!
    case 1: second!
    case 2: third!
    default: others[index - 3]
    }
  }
}

/// What an operation is built with in addition to its inputs, such as axes, strides and sizes.
enum Attributes: Sendable {
  case none
  case integers([Int])
  case shape(ShapeBox)
  case number(Scalar)
  case convolution(ConvolutionBox)
  case pooling(PoolingBox)
  case customGradient(CustomGradient)
  case customGradientResults(MultiResultCustomGradient)
  case loop(LoopAttributes)
  case custom(CustomCall)
  case deferred(DeferredGraph)
}

/// A shape on the heap: stored inline, it would enlarge every `Attributes` value.
final class ShapeBox: Sendable {
  private let packed: PackedShape
  var shape: Shape { packed.shape }
  init(_ shape: Shape) { packed = PackedShape(shape) }
}

// An operation reads the case of `Attributes` that its method stored in the node; any other case is a bug of the
// operation.
extension Attributes {
  var integers: [Int] {
    guard case .integers(let values) = self else { fatalError("expected integer attributes, found \(self)") }
    return values
  }

  var shape: Shape {
    guard case .shape(let box) = self else { fatalError("expected a shape attribute, found \(self)") }
    return box.shape
  }

  var loop: LoopAttributes {
    guard case .loop(let loop) = self else { fatalError("expected a loop attribute, found \(self)") }
    return loop
  }

  var number: Scalar {
    guard case .number(let value) = self else { fatalError("expected a number attribute, found \(self)") }
    return value
  }

  var convolution: ConvolutionBox {
    guard case .convolution(let box) = self else { fatalError("expected the sizes of a convolution, found \(self)") }
    return box
  }

  var pooling: PoolingBox {
    guard case .pooling(let box) = self else { fatalError("expected the sizes of a pooling step, found \(self)") }
    return box
  }
}

/// How an operation becomes part of a plan.
enum Lowering: Sendable {
  /// What a reduction computes.
  enum Reducer: Hashable {
    /// One of the formulas (rows) of `Kernels/reduce.def`.
    case row(ReductionRow)
    /// The sum of the squared deviations of `n` numbers `x` whose mean is already near 0: `Σx² − (Σx)²/n`.
    case squaresOfCentered
  }

  /// A value that is in memory (materialized): an input of the plan.
  case leaf
  /// A scalar whose value may differ from run to run.
  case scalar
  /// A scalar whose value is part of the plan.
  case constant
  /// The row-major index of each element of a shape, which programs compute where they use it.
  case index
  /// Emits instructions: receives the registers of the inputs, returns the register of the result.
  case elementwise(@Sendable (inout ProgramBuilder, GraphNode, [Int]) -> Int)
  /// Another layout of the input's elements.
  case view(@Sendable (GraphNode) -> ViewTransform)
  /// A reduction. The first integer attribute is 1 if the reduced axes are kept, else 0; the others are these axes.
  case reduction(Reducer)
  /// A separate step with an optional epilogue.
  case step(StepLowering)
  /// A step that runs a graph many times; it has several results.
  case loop
  /// Several results with one custom gradient rule: result `i` has the value of input `i`.
  case customGradientResults
  /// A user-defined step with several results.
  case custom
  /// Operations that are not built yet. They are built before a plan is made.
  case deferred
  /// One result of an operation that has several.
  case result
}

/// The lowering of an operation that becomes a separate step.
struct StepLowering: Sendable {
  /// Whether input `index` may be read with `layout`; if not, the input is copied first.
  var accepts: @Sendable (_ index: Int, _ layout: Layout) -> Bool = { _, layout in layout.isIdentity }
  /// Whether the step reads input `index`, if it is a scalar, from the scalar bank: the numbers that are passed to each
  /// run of the plan.
  var readsNumber: @Sendable (_ node: GraphNode, _ index: Int) -> Bool = { _, _ in false }
  /// Returns the shape over which the epilogue runs; `nil` if the step takes no epilogue.
  var epilogueDomain: (@Sendable (GraphNode) -> Shape)?
  /// Builds the step from the operands of the inputs and the result.
  var build: @Sendable (GraphNode, StepOperands) -> Step
}

/// The operands from which a separate step is built.
struct StepOperands {
  var inputs: [Operand]
  /// For each input, its index in the scalar bank; −1 if the step does not read the input from the bank.
  var scalars: [Int]
  /// The element types of the inputs.
  var dtypes: [DType]
  /// Present if the lowering has an `epilogueDomain`.
  var epilogue: Epilogue?
  /// The index of the value that receives the result, if there is no epilogue.
  var result: Int
}
