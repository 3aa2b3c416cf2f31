import ApusDevice
import ApusGPU
import Foundation

/// The OpenCL devices that tests run on: device 0 with each class of kernels, or with the one that
/// `APUS_KERNEL_CLASS` forces. Programs are built from their text in every run: the caches of the user and of
/// the OpenCL platform are left alone.
///
/// The suites of kernels stay on the main actor, since the simulator keeps what it knows of memory for each thread.
enum Harness {
  static let devices: [(kernelClass: KernelTarget.Class, device: any Device)] =
    classes.map { ($0, open($0)) }

  /// Both classes of kernels, or the one that `APUS_KERNEL_CLASS` names.
  static let classes = GPUOptions.environment.kernelClass.map { [$0] } ?? KernelTarget.Class.allCases

  /// Whether `.ci/oclgrind-check` runs the tests: its simulator takes minutes for large cases, which are left out then.
  static let isSimulator = getenv("OCLGRIND_LOG") != nil

  /// A device of its own.
  static func open(_ kernelClass: KernelTarget.Class, cacheDirectory: String? = nil) -> any Device {
    var options = GPUOptions.environment
    options.kernelClass = kernelClass
    options.cacheDirectory = cacheDirectory
    options.fillsNewMemory = true
    do { return try OpenCL.open(0, options: options) } catch {
      fatalError("the tests need an OpenCL device: \(error)")
    }
  }
}

/// A plan under construction with the values of its inputs.
struct PlanBuilder {
  private static let slack = 256
  var plan = Plan()
  private(set) var inputs: [[UInt8]] = []

  /// An input of numbers of `dtype`.
  mutating func input(_ numbers: [Double], _ dtype: DType) -> Int {
    plan.values.append(
      Plan.Value(dtype: dtype, elementCount: numbers.count, storage: .input(plan.inputCount)))
    plan.inputCount += 1
    inputs.append(Elements.bytes(numbers, dtype))
    return plan.values.count - 1
  }

  mutating func output(_ count: Int, _ dtype: DType) -> Int {
    plan.values.append(
      Plan.Value(dtype: dtype, elementCount: count, storage: .output(plan.outputs.count)))
    plan.outputs.append(Plan.Output(byteCount: count * dtype.byteCount))
    return plan.values.count - 1
  }

  mutating func scratch(_ count: Int, _ dtype: DType) -> Int {
    plan.values.append(
      Plan.Value(
        dtype: dtype, elementCount: count, storage: .scratch(slab: 0, byteOffset: plan.slabs.first ?? 0)))
    let size = (count * dtype.byteCount + 127) / 128 * 128
    plan.slabs = [(plan.slabs.first ?? 0) + size]
    return plan.values.count - 1
  }

  mutating func step(_ step: Step, _ name: String = "test") {
    plan.steps.append(Plan.PlannedStep(step: step, names: [name]))
  }

  /// Runs the plan once and returns the numbers of each output.
  func run(on device: any Device, scalars: [Scalar] = []) throws -> [[Double]] {
    try CUDADump.write(plan)
    let executable = try device.prepare(plan)
    // Each plan gets new memory, filled with a pattern. The simulator also takes the size of the last upload
    // for a buffer's, so it would be misled by memory in a second use.
    device.releaseUnusedMemory()
    let buffers = try inputs.map { numbers in
      // Kernels may read whole registers behind the last element; what is there must not matter.
      let bytes = numbers + [UInt8](repeating: 0xA5, count: Self.slack)
      let buffer = try device.allocate(byteCount: bytes.count)
      try bytes.withUnsafeBytes { try device.upload($0, to: buffer) }
      return buffer
    }
    let outputs = try plan.outputs.map { output in
      if let donated = output.donatedInput { return buffers[donated] }
      return try device.allocate(byteCount: output.byteCount)
    }
    try device.run(executable, inputs: buffers, outputs: outputs, scalars: scalars)
    return try plan.outputs.indices.map { index in
      let value = plan.values.first { $0.storage == .output(index) }!
      return try device.startDownload(outputs[index], byteCount: plan.outputs[index].byteCount).wait {
        Elements.numbers($0, value.dtype)
      }
    }
  }
}

/// Writes the CUDA text of every plan that a test runs to the directory that `APUS_DUMP_CUDA` names;
/// `.ci/nvrtc-check` compiles what it finds there.
enum CUDADump {
  private static let directory = ProcessInfo.processInfo.environment["APUS_DUMP_CUDA"]

  static func write(_ plan: Plan) throws {
    guard let directory else { return }
    let text = try CUDAText.program(for: plan)
    var hash: UInt64 = 0xcbf2_9ce4_8422_2325
    for byte in text.utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
    try text.write(
      toFile: "\(directory)/\(String(hash, radix: 16)).cu", atomically: true, encoding: .utf8)
  }
}

/// Numbers as the bytes of an element type and back.
enum Elements {
  static func bytes(_ numbers: [Double], _ dtype: DType) -> [UInt8] {
    func pack<T>(_ convert: (Double) -> T) -> [UInt8] {
      numbers.map(convert).withUnsafeBytes { Array($0) }
    }
    switch dtype {
    case .bool: return pack { UInt8($0 == 0 ? 0 : 1) }
    case .uint8: return pack { UInt8($0) }
    case .int8: return pack { Int8($0) }
    case .int32: return pack { Int32($0) }
    case .int64: return pack { Int64($0) }
    case .float16: return pack { Float16($0).bitPattern }
    case .bfloat16: return pack { brain(Float($0)) }
    case .float32: return pack { Float($0) }
    case .float64: return pack { $0 }
    }
  }

  static func numbers(_ bytes: UnsafeRawBufferPointer, _ dtype: DType) -> [Double] {
    func unpack<T>(_ type: T.Type, _ convert: (T) -> Double) -> [Double] {
      (0..<bytes.count / MemoryLayout<T>.size).map {
        convert(bytes.loadUnaligned(fromByteOffset: $0 * MemoryLayout<T>.size, as: type))
      }
    }
    switch dtype {
    case .bool, .uint8: return unpack(UInt8.self) { Double($0) }
    case .int8: return unpack(Int8.self) { Double($0) }
    case .int32: return unpack(Int32.self) { Double($0) }
    case .int64: return unpack(Int64.self) { Double($0) }
    case .float16: return unpack(UInt16.self) { Double(Float16(bitPattern: $0)) }
    case .bfloat16: return unpack(UInt16.self) { Double(Float(bitPattern: UInt32($0) << 16)) }
    case .float32: return unpack(Float.self) { Double($0) }
    case .float64: return unpack(Double.self) { $0 }
    }
  }

  /// The nearest bfloat16, ties to even.
  static func brain(_ number: Float) -> UInt16 {
    if number.isNaN { return 0x7fc0 }
    let bits = number.bitPattern
    return UInt16(truncatingIfNeeded: (bits &+ 0x7fff &+ (bits >> 16 & 1)) >> 16)
  }
}

/// Repeatable numbers without a pattern.
struct Numbers {
  private var state: UInt64

  init(seed: UInt64 = 1) { state = seed &* 0x9E37_79B9_7F4A_7C15 | 1 }

  mutating func next() -> Double {
    state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
    return Double(state >> 11) / Double(1 << 53)
  }

  /// `count` multiples of 1/64 in -2..<2: exact in every floating-point type.
  mutating func array(_ count: Int) -> [Double] {
    (0..<count).map { _ in (next() * 256).rounded(.down) / 64 - 2 }
  }

  mutating func integers(_ count: Int, _ range: Range<Int>) -> [Double] {
    (0..<count).map { _ in Double(range.lowerBound) + (next() * Double(range.count)).rounded(.down) }
  }
}
