import ApusDevice

@testable import ApusCPU

/// Runs plans of one step (or some) on host arrays of doubles, which are converted to the types of the
/// plan's values and back.
struct StepRunner {
  let device: CPUDevice
  private(set) var plan = Plan()
  private var inputBytes: [[UInt8]] = []
  private var scalars: [Scalar] = []

  init(threads: Int = 2, simd: String? = nil) throws {
    device = try CPUDevice(threadCount: threads, simd: simd, memoryLimit: 1 << 32)
  }

  init(device: CPUDevice) { self.device = device }

  mutating func input(_ numbers: [Double], _ dtype: DType) -> Int {
    inputBytes.append(numbers.flatMap { dtype.bytes(of: $0) })
    plan.values.append(
      Plan.Value(dtype: dtype, elementCount: numbers.count, storage: .input(plan.inputCount)))
    plan.inputCount += 1
    return plan.values.count - 1
  }

  mutating func output(_ count: Int, _ dtype: DType) -> Int {
    plan.values.append(
      Plan.Value(dtype: dtype, elementCount: count, storage: .output(plan.outputs.count)))
    plan.outputs.append(Plan.Output(byteCount: count * dtype.byteCount))
    return plan.values.count - 1
  }

  /// An output written over an input.
  mutating func output(over input: Int) -> Int {
    guard case .input(let number) = plan.values[input].storage else { return input }
    let value = plan.values[input]
    plan.values.append(
      Plan.Value(
        dtype: value.dtype, elementCount: value.elementCount, storage: .output(plan.outputs.count)))
    plan.outputs.append(Plan.Output(byteCount: value.byteCount, donatedInput: number))
    return plan.values.count - 1
  }

  mutating func scalar(_ value: Scalar, _ lane: Lane) -> Int {
    scalars.append(value)
    plan.scalars.append(lane)
    return scalars.count - 1
  }

  mutating func add(_ step: Step) { plan.steps.append(Plan.PlannedStep(step: step, names: ["test"])) }

  /// The outputs in order, as bytes.
  func runBytes() throws -> [[UInt8]] {
    let inputs = try inputBytes.map { bytes in
      let buffer = try device.allocate(byteCount: bytes.count)
      try bytes.withUnsafeBytes { try device.upload($0, to: buffer) }
      return buffer
    }
    let outputs = try plan.outputs.map { output in
      if let donated = output.donatedInput { return inputs[donated] }
      let buffer = try device.allocate(byteCount: output.byteCount)
      // Whatever is not written shows.
      try [UInt8](repeating: 0xA5, count: output.byteCount).withUnsafeBytes {
        try device.upload($0, to: buffer)
      }
      return buffer
    }
    let executable = try device.prepare(plan)
    try device.run(executable, inputs: inputs, outputs: outputs, scalars: scalars)
    return try zip(outputs, plan.outputs).map { buffer, output in
      try device.startDownload(buffer, byteCount: output.byteCount).wait { Array($0) }
    }
  }

  func run() throws -> [[Double]] {
    let dtypes = plan.values.compactMap { value -> (Int, DType)? in
      guard case .output(let number) = value.storage else { return nil }
      return (number, value.dtype)
    }
    return try runBytes().enumerated().map { number, bytes in
      dtypes.first { $0.0 == number }!.1.numbers(in: bytes)
    }
  }
}

extension DType {
  /// The bytes of the number of this type that is nearest to `value`.
  func bytes(of value: Double) -> [UInt8] {
    switch self {
    case .bool: [value != 0 ? 1 : 0]
    case .uint8: [UInt8(truncatingIfNeeded: Int64(value))]
    case .int8: [UInt8(bitPattern: Int8(truncatingIfNeeded: Int64(value)))]
    case .int32: raw(Int32(truncatingIfNeeded: Int64(value)))
    case .int64: raw(Int64(value))
    case .float16: raw(Float16(value))
    case .bfloat16: raw(UInt16(truncatingIfNeeded: roundedBits(Float(value)) >> 16))
    case .float32: raw(Float(value))
    case .float64: raw(value)
    }
  }

  private func roundedBits(_ value: Float) -> UInt32 {
    if value.isNaN { return 0x7fc0_0000 }
    let bits = value.bitPattern
    return bits &+ 0x7fff &+ (bits >> 16 & 1)
  }

  private func raw<T: BitwiseCopyable>(_ value: T) -> [UInt8] { withUnsafeBytes(of: value) { Array($0) } }

  func numbers(in bytes: [UInt8]) -> [Double] {
    bytes.withUnsafeBytes { raw in
      (0..<(bytes.count / byteCount)).map { index in
        let offset = index * byteCount
        switch self {
        case .bool, .uint8: return Double(raw[offset])
        case .int8: return Double(Int8(bitPattern: raw[offset]))
        case .int32: return Double(raw.loadUnaligned(fromByteOffset: offset, as: Int32.self))
        case .int64: return Double(raw.loadUnaligned(fromByteOffset: offset, as: Int64.self))
        case .float16: return Double(raw.loadUnaligned(fromByteOffset: offset, as: Float16.self))
        case .bfloat16:
          let bits = raw.loadUnaligned(fromByteOffset: offset, as: UInt16.self)
          return Double(Float(bitPattern: UInt32(bits) << 16))
        case .float32: return Double(raw.loadUnaligned(fromByteOffset: offset, as: Float.self))
        case .float64: return raw.loadUnaligned(fromByteOffset: offset, as: Double.self)
        }
      }
    }
  }

  /// The value as this type holds it.
  func rounded(_ value: Double) -> Double { numbers(in: bytes(of: value))[0] }
}

/// Reproducible numbers.
struct TestNumbers {
  private var state: UInt64

  init(seed: UInt64 = 1) { state = seed &* 0x9E37_79B9_7F4A_7C15 | 1 }

  mutating func bits() -> UInt64 {
    state ^= state << 13
    state ^= state >> 7
    state ^= state << 17
    return state
  }

  mutating func uniform(_ range: ClosedRange<Double>) -> Double {
    range.lowerBound + (range.upperBound - range.lowerBound) * Double(bits() >> 11) * 0x1p-53
  }

  mutating func array(_ count: Int, _ range: ClosedRange<Double> = -2...2) -> [Double] {
    (0..<count).map { _ in uniform(range) }
  }

  mutating func integers(_ count: Int, _ range: ClosedRange<Int>) -> [Double] {
    (0..<count).map { _ in Double(range.lowerBound + Int(bits() % UInt64(range.count))) }
  }
}

extension Layout {
  /// The positions of all elements, in row-major order.
  var positions: [Int] {
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
