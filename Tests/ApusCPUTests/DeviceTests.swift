import ApusDevice
import Testing

@testable import ApusCPU

@Suite struct DeviceTests {
  private func error(_ body: () throws -> Void) -> DeviceError? {
    do {
      try body()
      return nil
    } catch {
      return error as? DeviceError
    }
  }

  @Test func unknownSettingsAreErrors() {
    for (threads, simd) in [("0", nil), ("many", nil), ("2000", nil), (nil, "sse9"), ("1", "AVX512")] {
      let failure = error { _ = try CPUDevice(threads: threads, simd: simd) }
      guard case .unavailable("cpu", let reason) = failure else {
        Issue.record("no error for \(threads ?? "-") \(simd ?? "-")")
        continue
      }
      #expect(reason.contains(threads == "1" || threads == nil ? "APUS_SIMD" : "APUS_THREADS"))
    }
  }

  @Test func memoryIsReusedAndCounted() throws {
    let device = try CPUDevice(threadCount: 1, simd: nil, memoryLimit: 1 << 24)
    var first: Buffer? = try device.allocate(byteCount: 1000)
    #expect(device.memory.used == 1024 && device.memory.pooled == 0)
    let start = try address(of: first!)
    #expect(Int(bitPattern: start) % 64 == 0)
    first = nil
    #expect(device.memory == MemoryStatistics(used: 0, peak: 1024, pooled: 1024))
    let second = try device.allocate(byteCount: 980)
    #expect(try address(of: second) == start)
    #expect(device.memory.pooled == 0)
    let large = try (1...20).map { try device.allocate(byteCount: $0 * 10_007) }
    #expect(try Set(large.map { try address(of: $0) }).count == 20)
    // Rounding up to a size class wastes less than an eighth.
    #expect(device.memory.used < 1024 + 210 * 10_007 * 9 / 8 + 20 * 64)
    withExtendedLifetime((second, large)) {}
  }

  /// The pool of released memory has a limit. Memory blocks of many sizes are allocated one after the other, as
  /// networks of different shapes allocate them.
  @Test func releasedMemoryHasALimit() throws {
    let allocator = Allocator(limit: 1 << 30, cacheLimit: CacheLimit(memoryByteCount: 1 << 30, fixedByteCount: 8 << 20))
    for size in stride(from: 1 << 20, to: 4 << 20, by: 1 << 17) {
      allocator.release(try allocator.allocate(byteCount: size), byteCount: size)
      #expect(allocator.statistics.pooled <= 8 << 20)
    }
    // The pool keeps at most three times the peak of used memory. That is enough for the memory blocks of several plans
    // that run alternately. A request for 50 MiB gets a block of the size class 52 MiB.
    let device = try CPUDevice(threadCount: 1, simd: nil, memoryLimit: 1 << 32)
    let sizes = [30 << 20, 40 << 20, 50 << 20]
    for _ in 0..<2 { for size in sizes { _ = try device.allocate(byteCount: size) } }
    #expect(device.memory.pooled == (30 + 40 + 52) << 20)
    for size in stride(from: 60 << 20, to: 90 << 20, by: 1 << 20) { _ = try device.allocate(byteCount: size) }
    #expect(device.memory.pooled <= 3 * device.memory.peak && device.memory.pooled > device.memory.peak)
  }

  /// A plan that doubles `count` elements.
  private func plan(_ count: Int, slabs: [Int] = []) -> Plan {
    let layout = Layout(contiguous: [count])
    let program = Program(
      inputs: [.tensor(.float32)],
      instructions: [Instruction(.add, lane: .float32, operands: [0, 0])],
      outputs: [.init(register: 1, dtype: .float32)])
    let binding = Binding(
      domain: [count], arguments: [.tensor(Operand(value: 0, layout: layout))],
      results: [Operand(value: 1, layout: layout)])
    return Plan(
      values: [
        .init(dtype: .float32, elementCount: count, storage: .input(0)),
        .init(dtype: .float32, elementCount: count, storage: .output(0)),
      ],
      steps: [.init(step: .elementwise(Elementwise(program: program, segments: [binding])), names: ["test"])],
      inputCount: 1, outputs: [.init(byteCount: 4 * count)], slabs: slabs)
  }

  /// Preparing a plan costs no time or memory per element, and fails at once if the plan cannot fit.
  @Test func plansOfAnySizeArePreparedAtOnce() throws {
    let device = try CPUDevice(threadCount: 1, simd: nil, memoryLimit: 1 << 50)
    let start = ContinuousClock.now
    _ = try device.prepare(plan(1 << 46))
    let failure = error { _ = try device.prepare(plan(1 << 46, slabs: [1 << 49, 1 << 49])) }
    #expect(failure == .outOfMemory(device: "cpu", requested: 5 << 48, used: 0, available: 1 << 50))
    #expect(ContinuousClock.now - start < .seconds(10))
    // A result that is written over its input needs no memory.
    var donated = plan(1 << 46, slabs: [1 << 50])
    donated.outputs[0].donatedInput = 0
    _ = try device.prepare(donated)
  }

  @Test func tooMuchMemoryIsATypedError() throws {
    let device = try CPUDevice(threadCount: 1, simd: nil, memoryLimit: 1 << 20)
    var held: Buffer? = try device.allocate(byteCount: 600_000)
    let failure = error { _ = try device.allocate(byteCount: 600_000) }
    guard case .outOfMemory("cpu", 600_000, let used, 1_048_576) = failure else {
      Issue.record("\(String(describing: failure))")
      return
    }
    #expect(used >= 600_000)
    #expect(held != nil)
    held = nil
    // The pool frees its memory for a request of another size class.
    let other = try device.allocate(byteCount: 900_000)
    #expect(device.memory.pooled == 0)
    withExtendedLifetime(other) {}
    device.releaseUnusedMemory()
  }

  @Test func everyTaskRunsOnce() throws {
    for threads in [1, 2, 5] {
      let pool = try ThreadPool(threadCount: threads)
      for count in [0, 1, 2, 7, 1000] {
        let hits = UnsafeMutablePointer<Int>.allocate(capacity: max(1, count))
        hits.initialize(repeating: 0, count: max(1, count))
        defer { hits.deallocate() }
        for _ in 0..<20 { pool.run(count) { index, worker in hits[index] += worker < threads ? 1 : 1000 } }
        #expect((0..<count).allSatisfy { hits[$0] == 20 })
      }
    }
  }

  @Test func downloadsAreCopies() throws {
    let device = try CPUDevice.open()
    let buffer = try device.allocate(byteCount: 4)
    try [UInt8](arrayLiteral: 1, 2, 3, 4).withUnsafeBytes { try device.upload($0, to: buffer) }
    let download = try device.startDownload(buffer, byteCount: 4)
    try [UInt8](arrayLiteral: 9, 9, 9, 9).withUnsafeBytes { try device.upload($0, to: buffer) }
    #expect(try download.wait { Array($0) } == [1, 2, 3, 4])
    let empty = try device.allocate(byteCount: 0)
    #expect(try device.startDownload(empty, byteCount: 0).wait { $0.count } == 0)
  }
}
