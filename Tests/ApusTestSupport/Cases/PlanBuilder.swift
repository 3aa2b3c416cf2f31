import ApusDevice

/// A plan under construction, with the contents of its inputs and scalars. The methods that add a value or a scalar
/// return its index in the plan.
public struct PlanBuilder {
  public private(set) var plan = Plan()
  private var inputs: [[UInt8]] = []
  private var scalars: [Scalar] = []

  public init() {}

  /// An input of numbers, each rounded or wrapped to `dtype`.
  public mutating func input(_ numbers: [Double], _ dtype: DType) -> Int {
    inputs.append(HostArray(numbers, dtype).bytes)
    plan.inputCount += 1
    return value(numbers.count, dtype, .input(plan.inputCount - 1))
  }

  public mutating func output(_ count: Int, _ dtype: DType) -> Int {
    plan.outputs.append(Plan.Output(byteCount: count * dtype.byteCount))
    return value(count, dtype, .output(plan.outputs.count - 1))
  }

  /// An output that overwrites an input.
  public mutating func output(over input: Int) -> Int {
    guard case .input(let number) = plan.values[input].storage else {
      preconditionFailure("value \(input) is no input")
    }
    let replaced = plan.values[input]
    plan.outputs.append(Plan.Output(byteCount: replaced.byteCount, donatedInput: number))
    return value(replaced.elementCount, replaced.dtype, .output(plan.outputs.count - 1))
  }

  public mutating func scratch(_ count: Int, _ dtype: DType) -> Int {
    let start = plan.slabs.first ?? 0
    plan.slabs = [start + (count * dtype.byteCount + 127) / 128 * 128]
    return value(count, dtype, .scratch(slab: 0, byteOffset: start))
  }

  private mutating func value(_ count: Int, _ dtype: DType, _ storage: Plan.Value.Storage) -> Int {
    plan.values.append(Plan.Value(dtype: dtype, elementCount: count, storage: storage))
    return plan.values.count - 1
  }

  public mutating func scalar(_ value: Scalar, _ lane: Lane) -> Int {
    scalars.append(value)
    plan.scalars.append(lane)
    return scalars.count - 1
  }

  public mutating func step(_ step: Step, _ name: String = "test") {
    plan.steps.append(Plan.PlannedStep(step: step, names: [name]))
  }

  /// Adds a step that computes random words. The element offsets of the layout `numbers` are the indices of the words
  /// in the random stream.
  public mutating func drawWords(_ numbers: Layout, lane: Lane = .int32, seed: Int64, counter: Int64) {
    let key = [seed, counter].map { scalar(.integer($0), .int64) }
    let result = output(numbers.shape.elementCount, .int32)
    let program = Program(
      inputs: [.index(lane), .scalar(.int64), .scalar(.int64)],
      instructions: [Instruction(.random, lane: lane, result: .int32, operands: [0, 1, 2])],
      outputs: [Program.Output(register: 3, dtype: .int32)])
    let binding = Binding(
      domain: numbers.shape, arguments: [.index(numbers), .scalar(key[0]), .scalar(key[1])],
      results: [Operand(value: result, layout: Layout(contiguous: numbers.shape))])
    step(.elementwise(Elementwise(program: program, segments: [binding])))
  }

  /// Runs the plan once and returns the numbers of each output.
  /// - Parameter prepare: prepares the plan for the device; `nil` for the device's own `prepare`.
  public func run(on device: any Device, prepare: ((Plan) throws -> any Executable)? = nil) throws -> [[Double]] {
    try plan.run(on: device, inputs: inputs, scalars: scalars, prepare: prepare).enumerated().map { index, bytes in
      let value = plan.values.first { $0.storage == .output(index) }!
      return bytes.withUnsafeBytes { HostArray(bytes: $0, value.dtype).numbers }
    }
  }
}

extension Plan {
  /// Runs the plan once, in memory filled with a pattern, which reveals elements that are not written.
  /// - Parameter inputs: the bytes of each input.
  /// - Returns: The bytes of each output.
  func run(
    on device: any Device, inputs: [[UInt8]], scalars: [Scalar], prepare: ((Plan) throws -> any Executable)? = nil
  ) throws -> [[UInt8]] {
    let executable = try prepare?(self) ?? device.prepare(self)
    // The simulator of `.ci/oclgrind-check` takes the size of the last upload as the size of a buffer. This size is
    // wrong for reused memory, so memory that a cache keeps for reuse is released.
    device.releaseUnusedMemory()
    func buffer(_ bytes: [UInt8]) throws -> Buffer {
      let buffer = try device.allocate(byteCount: bytes.count)
      try bytes.withUnsafeBytes { try device.upload($0, to: buffer) }
      return buffer
    }
    func pattern(_ count: Int) -> [UInt8] { Array(repeating: 0xA5, count: count) }
    // Kernels may read up to one vector register past the last element. The pattern there must not change a result.
    let buffers = try inputs.map { try buffer($0 + pattern(256)) }
    let results = try outputs.map { output in
      if let donated = output.donatedInput { return buffers[donated] }
      // Only results on the CPU are filled here. GPU devices fill new memory themselves.
      guard device.info.kind == .cpu else { return try device.allocate(byteCount: output.byteCount) }
      return try buffer(pattern(output.byteCount))
    }
    try device.run(executable, inputs: buffers, outputs: results, scalars: scalars)
    return try zip(results, outputs).map { buffer, output in
      try device.startDownload(buffer, byteCount: output.byteCount).wait { Array($0) }
    }
  }
}

extension Layout {
  /// The offsets of all elements, in row-major order.
  public var positions: [Int] {
    (0..<shape.elementCount).map { index in
      var (rest, position) = (index, offset)
      for axis in (0..<shape.rank).reversed() {
        position += rest % shape[axis] * strides[axis]
        rest /= shape[axis]
      }
      return position
    }
  }
}
