import ApusDevice

/// Runs the steps of a plan on host arrays, one element at a time.
struct Interpreter {
  let device: String
  let arrays: [HostArray]
  let scalars: [Scalar]
  /// The names of the operations that the current step computes, for error messages.
  var names: [String] = []

  func run(_ step: Step) throws(DeviceError) {
    switch step {
    case .elementwise(let step): for segment in step.segments { run(step.program, segment, cores: []) }
    case .reduction(let step): run(step)
    case .scan(let step): run(step)
    case .matmul(let step): run(step)
    case .convolution(let step): run(step)
    case .pooling(let step): run(step)
    case .attention(let step): run(step)
    case .recurrent(let step): run(step)
    case .copy(let step): run(step)
    case .gather(let step): try run(step)
    case .scatterAdd(let step): try run(step)
    case .rowWrite(let step): run(step)
    case .sort(let step): run(step)
    case .loop(let step): try run(step)
    case .custom(let step): try run(step)
    }
  }

  // MARK: - Loops

  private func run(_ step: Loop) throws(DeviceError) {
    for (initial, carried) in zip(step.initial, step.carried) {
      for element in 0..<arrays[carried].count { arrays[carried][element] = arrays[initial][element] }
    }
    for place in step.order {
      let values = step.body.values.enumerated().map { index, value in
        let location = step.location(of: index)
        return arrays[location.value].part(value, at: location.offset + place * location.stride)
      }
      var inner = Interpreter(device: device, arrays: values, scalars: scalars)
      for planned in step.body.steps {
        inner.names = planned.names
        try inner.run(planned.step)
      }
    }
  }

  // MARK: - User-defined operations

  private func run(_ step: Custom) throws(DeviceError) {
    guard let host = step.kernel.host else {
      throw .unsupported(device: device, feature: "\(step.kernel.name), which has no host function")
    }
    func memory(_ value: Int) -> CustomItems.Array {
      CustomItems.Array(pointer: arrays[value].pointer, dtype: arrays[value].dtype, count: arrays[value].count)
    }
    // Items may run in any order. Here they run from the last to the first.
    for item in (0..<step.count).reversed() {
      host(
        CustomItems(
          name: step.kernel.name, range: item..<item + 1, sizes: step.sizes, inputs: step.inputs.map(memory),
          results: step.results.map(memory)))
    }
  }

  // MARK: - Programs

  /// Runs an elementwise program over its domain. The program may be the epilogue that is fused into a step. Then
  /// `cores[i][e]` is the core result `i` of this step, before the epilogue, at element `e`.
  func run(_ program: Program, _ binding: Binding, cores: [[Scalar]]) {
    let arguments = arguments(binding.arguments, over: binding.domain, cores)
    let places = binding.results.map { Places($0.layout) }
    for element in 0..<binding.domain.elementCount {
      let outputs = evaluate(program, arguments.map { $0(element) })
      for (index, output) in outputs.enumerated() {
        arrays[binding.results[index].value][places[index][element]] = output
      }
    }
  }

  /// A function for each input of a program, which returns the input's value at an element of the domain.
  func arguments(
    _ arguments: [Argument], over domain: Shape, _ cores: [[Scalar]] = []
  ) -> [(Int) -> Scalar] {
    arguments.map { argument in
      switch argument {
      case .tensor(let operand):
        let places = Places(operand.layout)
        let array = arrays[operand.value]
        return { array[places[$0]] }
      case .index(let layout):
        let places = Places(layout)
        return { .integer(Int64(places[$0])) }
      case .scalar(let index):
        let value = scalars[index]
        return { _ in value }
      case .core(let index):
        let values = cores[index]
        return { values[$0] }
      }
    }
  }

  /// The outputs of a program for one element.
  func evaluate(_ program: Program, _ inputs: [Scalar]) -> [Scalar] {
    var registers = zip(program.inputs, inputs).map { $0.lane.holding($1) }
    for instruction in program.instructions {
      let operands = instruction.operands.map { registers[$0] }
      registers.append(instruction.result.holding(instruction.value(of: operands)))
    }
    return program.outputs.map { registers[$0.register] }
  }
}

/// The offsets of the elements of a layout, in row-major order.
struct Places {
  private let places: [Int]

  init(_ layout: Layout) {
    var list = [layout.offset]
    for axis in 0..<layout.shape.rank {
      list = list.flatMap { start in (0..<layout.shape[axis]).map { start + $0 * layout.strides[axis] } }
    }
    places = list
  }

  subscript(element: Int) -> Int { places[element] }
}

extension Lane {
  var isFloatingPoint: Bool { self == .float32 || self == .float64 }

  /// The value rounded or wrapped to this arithmetic type, as a register contains it.
  func holding(_ value: Scalar) -> Scalar {
    switch self {
    case .float32: .float(Double(Float(value.double)))
    case .float64: .float(value.double)
    case .int32: .integer(Int64(Int32(truncatingIfNeeded: value.integer)))
    case .int64: .integer(value.integer)
    }
  }
}
