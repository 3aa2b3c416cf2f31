import ApusNN
import ApusTensor

/// The device memory that training needs at a batch size. The steps are planned as in a run, but nothing is allocated,
/// compiled or computed.
public struct TrainingMemory: Hashable, Sendable {
  /// The number of examples in a batch.
  public var batchSize: Int
  /// The peak number of bytes in use.
  public var byteCount: Int
  /// The largest single allocation in bytes.
  public var largestByteCount: Int
  /// The bytes of the parameters and statistics.
  public var modelByteCount: Int
  /// The bytes of the optimizer's state.
  public var optimizerByteCount: Int

  /// The bytes of the batch, activations, gradients and workspaces.
  public var stepByteCount: Int { max(0, byteCount - modelByteCount - optimizerByteCount) }

  /// Creates a value from its parts.
  public init(
    batchSize: Int, byteCount: Int, largestByteCount: Int, modelByteCount: Int, optimizerByteCount: Int
  ) {
    self.batchSize = batchSize
    self.byteCount = byteCount
    self.largestByteCount = largestByteCount
    self.modelByteCount = modelByteCount
    self.optimizerByteCount = optimizerByteCount
  }

  /// Plans the first steps of a run; later steps reuse their plans.
  /// - Parameter make: creates the trainer with a model that is built in this closure, and with `PlannedExamples`.
  public init(on device: ComputeDevice, _ make: () throws -> Trainer) throws {
    let (sizes, memory) = try device.planning { () throws -> (batch: Int, model: Int, optimizer: Int) in
      let trainer = try make()
      try trainer.run(until: min(3, trainer.totalSteps))
      let model = trainer.modelState.entries.reduce(0) { $0 + $1.byteCount }
      return (trainer.order.batchSize, model, trainer.optimizer.stateByteCount)
    }
    self.init(
      batchSize: sizes.batch, byteCount: memory.peakByteCount, largestByteCount: memory.largestByteCount,
      modelByteCount: sizes.model, optimizerByteCount: sizes.optimizer)
  }
}

extension TrainingMemory: CustomStringConvertible {
  /// `1.2 GiB at batch size 128: 42.7 MiB model, 85.3 MiB optimizer, 1.1 GiB batch, activations, …`
  public var description: String {
    "\(byteCount.byteText) at batch size \(batchSize): \(modelByteCount.byteText) model, "
      + "\(optimizerByteCount.byteText) optimizer, \(stepByteCount.byteText) batch, activations, gradients and workspaces"
  }
}

/// The memory that a device can provide to a run.
public struct MemoryLimit: Hashable, Sendable {
  /// The total number of bytes.
  public var byteCount: Int
  /// The number of bytes of the largest possible allocation.
  public var largestByteCount: Int

  /// Creates a limit from known values.
  public init(byteCount: Int, largestByteCount: Int = .max) {
    self.byteCount = byteCount
    self.largestByteCount = largestByteCount
  }

  /// The memory that a device can provide at the moment.
  public init(of device: ComputeDevice) {
    self.init(
      byteCount: device.availableByteCount, largestByteCount: device.info.maximumAllocationByteCount)
  }

  /// The fraction of the total memory that training needs, or the fraction of the largest possible allocation that its
  /// largest allocation needs, whichever is larger. Training fits if the result is at most 1.
  func share(_ memory: TrainingMemory) -> Double {
    max(
      Double(memory.byteCount) / Double(max(1, byteCount)),
      Double(memory.largestByteCount) / Double(max(1, largestByteCount)))
  }

  /// Whether both the peak memory and the largest allocation are within the limits.
  public func fits(_ memory: TrainingMemory) -> Bool { share(memory) <= 1 }

  /// The largest batch size that fits, below the batch size of `refused`, which does not fit.
  ///
  /// Memory is nearly an affine function of the batch size. The search begins at the size where a line through the
  /// memory for one example and the memory of `refused` meets the limit. From this size it moves in doubling steps
  /// until the limit lies between two sizes, and then it bisects.
  /// - Returns: `nil` if not even one example fits.
  public func largestBatchSize(
    below refused: TrainingMemory, _ plan: (_ batchSize: Int) throws -> TrainingMemory
  ) rethrows -> Int? {
    guard refused.batchSize > 1 else { return nil }
    let least = share(try plan(1))
    guard least <= 1 else { return nil }
    var (low, high) = (1, refused.batchSize)
    guard high - low > 1 else { return low }
    let slope = (share(refused) - least) / Double(high - low)
    let guess = min(max(low + Int(min((1 - least) / slope, Double(high - low))), low + 1), high - 1)
    var step = 1
    if fits(try plan(guess)) {
      low = guess
      while low + step < high, fits(try plan(low + step)) { (low, step) = (low + step, 2 * step) }
      high = min(high, low + step)
    } else {
      high = guess
      while high - step > low, !fits(try plan(high - step)) { (high, step) = (high - step, 2 * step) }
      low = max(low, high - step)
    }
    return try (low + 1..<high).partitionPoint { fits(try plan($0)) } - 1
  }

  /// Throws if training at a batch size does not fit; the error contains the largest batch size that fits, if any.
  /// - Parameter plan: gives the memory for a batch size; called for one or several sizes.
  /// - Returns: the memory that training needs.
  /// - Throws: `TrainingError.tooLarge`, and what `plan` throws.
  public func check(
    batchSize: Int, on device: String, _ plan: (_ batchSize: Int) throws -> TrainingMemory
  ) throws -> TrainingMemory {
    let memory = try estimate(batchSize, plan)
    guard !fits(memory) else { return memory }
    let fitting = try largestBatchSize(below: memory, plan)
    throw TrainingError.tooLarge(memory, limit: self, device: device, fitting: fitting)
  }

  /// The memory for a batch size, which `plan` computes. The memory for a size above 4096 is first extrapolated from
  /// the plans for 1024 and 2048. If the extrapolated memory is more than twice the limit, it is the result, and the
  /// size is not planned.
  private func estimate(
    _ batchSize: Int, _ plan: (_ batchSize: Int) throws -> TrainingMemory
  ) rethrows -> TrainingMemory {
    let known = 1024
    guard batchSize > 4 * known else { return try plan(batchSize) }
    let (small, large) = (try plan(known), try plan(2 * known))
    func extended(_ size: KeyPath<TrainingMemory, Int>) -> Int {
      let slope = Double(large[keyPath: size] - small[keyPath: size]) / Double(known)
      return Int(min(Double(small[keyPath: size]) + slope * Double(batchSize - known), 1e18))
    }
    let guess = TrainingMemory(
      batchSize: batchSize, byteCount: extended(\.byteCount), largestByteCount: extended(\.largestByteCount),
      modelByteCount: large.modelByteCount, optimizerByteCount: large.optimizerByteCount)
    return share(guess) > 2 ? guess : try plan(batchSize)
  }
}
