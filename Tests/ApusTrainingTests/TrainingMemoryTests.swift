import Apus
import ApusTestSupport
import Foundation
import Testing

@testable import ApusTraining

@Suite struct TrainingMemoryTests {
  private static let devices = TestDevice.all.filter { $0.name != "reference" }

  private func trainer(_ batchSize: Int) -> Trainer {
    let model = withRandomKey(RandomKey(seed: 4)) {
      Sequential {
        Conv2d(1, 8, kernel: 3, padding: 1)
        ReLU()
        Flatten()
        Linear(8 * 16 * 16, 64)
        ReLU()
        Linear(64, 10)
      }
    }
    let examples = PlannedExamples(count: batchSize) { count, upload in
      (upload([count, 1, 16, 16], .float32), upload([count], .int32))
    }
    return Trainer(
      model, Adam(learningRate: 0.1), on: examples, TrainingOptions(length: .steps(3), batchSize: batchSize))
  }

  /// The planned memory is close to the memory that the same run uses. No other test uses the device.
  @Test(arguments: devices) func plannedMemoryIsCloseToUsedMemory(_ place: TestDevice) throws {
    let device = try place.reopened()
    for batchSize in [8, 512] {
      let before = device.memory
      let planned = try TrainingMemory(on: device) { trainer(batchSize) }
      // Planning allocates nothing.
      #expect(device.memory == before)
      #expect(planned.batchSize == batchSize)
      #expect(planned.modelByteCount == 4 * (8 * 9 + 8 + 2048 * 64 + 64 + 640 + 10))
      #expect(planned.optimizerByteCount == 2 * planned.modelByteCount)
      try withDevice(device) { _ = try trainer(batchSize).run() }
      // On the CPU, the planned memory includes workspaces, which `device.memory` does not count, because they are not
      // buffers. So the ratio may be larger.
      let ratio = Double(planned.byteCount) / Double(device.memory.peak)
      #expect((0.99...(device.info.kind == .cpu ? 1.5 : 1.05)).contains(ratio), "\(batchSize): \(ratio)")
      device.releaseUnusedMemory()
    }
  }

  @Test(arguments: devices) func theLargestBatchThatFitsIsFound(_ place: TestDevice) throws {
    func plan(_ size: Int) throws -> TrainingMemory { try TrainingMemory(on: place.device) { trainer(size) } }
    let limit = MemoryLimit(byteCount: try plan(1000).byteCount + 12_345)
    let error = #expect(throws: TrainingError.self) {
      _ = try limit.check(batchSize: 3000, on: "this", plan)
    }
    guard case .tooLarge(let memory, _, "this", let fitting?) = error else {
      Issue.record("\(String(describing: error))")
      return
    }
    #expect(memory.batchSize == 3000 && fitting >= 1000 && fitting < 1300, "\(fitting)")
    #expect(error!.description.contains("batch size \(fitting) fits"), "\(error!)")
    // The suggested batch size passes the same check, and the next larger batch size does not.
    #expect(try limit.check(batchSize: fitting, on: "this", plan).batchSize == fitting)
    #expect(throws: TrainingError.self) { _ = try limit.check(batchSize: fitting + 1, on: "this", plan) }
  }

  /// A device may have much memory but limit the size of a single allocation.
  @Test func aSingleArrayMayBeTooLarge() throws {
    try withDevice(SmallRun().device) {
      func plan(_ size: Int) throws -> TrainingMemory { try TrainingMemory(on: .current) { trainer(size) } }
      let limit = MemoryLimit(byteCount: 1 << 40, largestByteCount: 1 << 20)
      let error = #expect(throws: TrainingError.self) { _ = try limit.check(batchSize: 512, on: "this", plan) }
      #expect("\(error!)".contains("a single array of") && "\(error!)".contains("the limit is 1.0 MiB"), "\(error!)")
      guard case .tooLarge(_, _, _, let fitting?) = error else {
        Issue.record("\(String(describing: error))")
        return
      }
      let (accepted, refused) = (try plan(fitting), try plan(fitting + 1))
      #expect(limit.fits(accepted) && !limit.fits(refused))
    }
  }

  /// The search for the largest batch size is exact and plans the memory of few batch sizes. The memory is a linear,
  /// stepped or quadratic function of the batch size, or jumps at one size.
  @Test func theSearchIsExact() {
    let shapes: [@Sendable (Int) -> Int] = [
      { 1000 + 37 * $0 }, { 1000 + 4096 * ($0 * 37 / 4096 + 1) }, { $0 < 700 ? 10 : 1 << 40 }, { $0 * $0 },
    ]
    for (number, bytes) in shapes.enumerated() {
      var count = 0
      func plan(_ size: Int) -> TrainingMemory {
        count += 1
        return TrainingMemory(
          batchSize: size, byteCount: bytes(size), largestByteCount: 1, modelByteCount: 0, optimizerByteCount: 0)
      }
      let limit = MemoryLimit(byteCount: 50_000)
      let found = limit.largestBatchSize(below: plan(4000), plan) ?? 0
      #expect(bytes(found) <= 50_000 && bytes(found + 1) > 50_000, "\(number): \(found)")
      #expect(count <= 40, "\(number): \(count)")
      #expect(MemoryLimit(byteCount: 5).largestBatchSize(below: plan(4000), plan) == (number == 3 ? 2 : nil))
    }
  }

  /// Batch sizes that need far more memory than the limit are refused without planning them.
  @Test func absurdSizesAreRefusedAtOnce() throws {
    func plan(_ size: Int) throws -> TrainingMemory {
      #expect(size <= 100_000)
      return TrainingMemory(
        batchSize: size, byteCount: 1000 * size, largestByteCount: size, modelByteCount: 0, optimizerByteCount: 0)
    }
    let limit = MemoryLimit(byteCount: 50_000_000)
    let error = #expect(throws: TrainingError.self) {
      _ = try limit.check(batchSize: 1_000_000_000, on: "this", plan)
    }
    guard case .tooLarge(let memory, _, _, let fitting) = error else {
      Issue.record("\(String(describing: error))")
      return
    }
    #expect(fitting == 50_000 && memory.byteCount == 1_000_000_000_000)
  }
}
