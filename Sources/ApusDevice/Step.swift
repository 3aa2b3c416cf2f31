/// One unit of work of a plan. The set of families, the cases below, is closed: a device implements all families, and
/// does not depend on the operations that are lowered to steps.
public enum Step: Hashable, Sendable {
  case elementwise(Elementwise)
  case reduction(Reduction)
  case scan(Scan)
  case matmul(Matmul)
  case convolution(Convolution)
  case pooling(Pooling)
  case attention(Attention)
  case recurrent(Recurrent)
  case copy(StridedCopy)
  case gather(Gather)
  case scatterAdd(ScatterAdd)
  case rowWrite(RowWrite)
  case sort(Sort)
  case loop(Loop)
  case custom(Custom)
}

/// A strided view of one of the plan's values.
public struct Operand: Hashable, Sendable {
  /// The index into `Plan.values`.
  public var value: Int
  /// The layout of the elements in the value.
  public var layout: Layout

  /// Creates a view of a value.
  public init(value: Int, layout: Layout) {
    self.value = value
    self.layout = layout
  }
}

/// The binding of an input of a `Program`.
public enum Argument: Hashable, Sendable {
  /// An array whose layout has the shape of the domain.
  case tensor(Operand)
  /// The entry of the scalar bank (`Plan.scalars`) with this index.
  case scalar(Int)
  /// A number computed from the position of each element: the offset that the layout assigns to this position of the
  /// domain.
  case index(Layout)
  /// If the program is the epilogue of a step: the result of the step (the core result) with this index.
  case core(Int)

  /// The layout of a tensor or of indices; `nil` for other arguments.
  package var layout: Layout? {
    switch self {
    case .tensor(let operand): operand.layout
    case .index(let layout): layout
    case .scalar, .core: nil
    }
  }

  /// The argument with a changed layout, if it has a layout.
  package func laidOut(_ change: (Layout) -> Layout) -> Argument {
    switch self {
    case .tensor(let operand): .tensor(Operand(value: operand.value, layout: change(operand.layout)))
    case .index(let layout): .index(change(layout))
    case .scalar, .core: self
    }
  }
}

/// A program's inputs and outputs over one domain: `arguments[i]` is the source of input `i` of the program, and
/// `results[i]` the destination of output `i`. Results never overlap each other; a result may share the memory of an
/// argument only if both have the same layout.
public struct Binding: Hashable, Sendable {
  /// The shape that the program runs over.
  public var domain: Shape
  /// The sources of the input registers.
  public var arguments: [Argument]
  /// The destinations of the outputs.
  public var results: [Operand]

  /// Creates a binding from its fields.
  public init(domain: Shape, arguments: [Argument], results: [Operand]) {
    self.domain = domain
    self.arguments = arguments
    self.results = results
  }
}

/// A program that runs on the results of a step, the core results, before they are stored. Its domain is the shape of
/// the step's result. The trivial epilogue stores the unchanged result.
public struct Epilogue: Hashable, Sendable {
  /// The program that runs for each element of the result.
  public var program: Program
  /// The arrays of the program.
  public var binding: Binding

  /// Creates an epilogue from a program and its arrays.
  public init(program: Program, binding: Binding) {
    self.program = program
    self.binding = binding
  }

  /// The epilogue with the axes from `first` on merged into one; `nil` if they cannot be merged in all arrays.
  package func mergingAxes(from first: Int) -> Epilogue? {
    var result = self
    result.binding.domain = Shape(Array(binding.domain[..<first]) + [binding.domain[first...].reduce(1, *)])
    for (index, argument) in binding.arguments.enumerated() {
      switch argument {
      case .tensor(let operand):
        guard let layout = operand.layout.mergingAxes(from: first) else { return nil }
        result.binding.arguments[index] = .tensor(Operand(value: operand.value, layout: layout))
      case .index(let layout):
        guard let layout = layout.mergingAxes(from: first) else { return nil }
        result.binding.arguments[index] = .index(layout)
      case .scalar, .core: break
      }
    }
    for (index, operand) in binding.results.enumerated() {
      guard let layout = operand.layout.mergingAxes(from: first) else { return nil }
      result.binding.results[index] = Operand(value: operand.value, layout: layout)
    }
    return result
  }

  /// The operand that receives the unchanged core result; `nil` if the epilogue is not trivial.
  public var plainResult: Operand? {
    guard program.inputs.count == 1, program.instructions.isEmpty, program.outputs.count == 1,
      case .core = program.inputs[0], program.outputs[0].dtype == program.inputs[0].lane.dtype
    else { return nil }
    return binding.results[0]
  }
}
