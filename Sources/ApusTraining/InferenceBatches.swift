import ApusNN
import ApusTensor

/// Inference of a model over all examples, in order.
///
/// The last batch is padded with copies of its first example, so that all batches run the same plan. The results of
/// these copies, and of examples that could not be read, are not used. The results of batch `i` are read while batch
/// `i + 1` runs.
struct InferenceBatches {
  let model: any Layer
  let source: any ExampleSource
  /// The requested batch size, which `size` limits to the number of examples.
  let batchSize: Int

  /// The number of examples in every batch, padding included.
  static func size(_ batchSize: Int, _ source: any ExampleSource) -> Int { max(1, min(batchSize, source.count)) }

  /// Runs all batches.
  /// - Parameters:
  ///   - read: maps a batch's outputs and targets to the tensors that are read back.
  ///   - take: receives the readings (pending copies to the host) of these tensors; the positions in the batch,
  ///     ascending, of the examples whose results are used; and the index of the example at position 0 of the batch.
  func run(
    read: (_ outputs: Tensor, _ targets: Tensor) -> [Tensor],
    take: (_ readings: [Reading], _ positions: [Int], _ start: Int) throws -> Void
  ) throws(TrainingError) {
    let size = InferenceBatches.size(batchSize, source)
    let starts = Array(stride(from: 0, to: source.count, by: size))
    let batches = starts.map { start in
      (start..<start + size).map { Int32($0 < source.count ? $0 : start) }
    }
    try reportingTraining {
      try withMode(.inference) {
        var pass = source.pass(over: batches, from: 0, epoch: nil)
        var pending: (readings: [Reading], positions: [Int], start: Int)?
        for start in starts {
          let count = min(size, source.count - start)
          guard let (inputs, targets) = try pass.next() else { break }
          let missing = Set(pass.missing)
          let values = read(model(inputs), targets)
          try eval(values)
          let positions = (0..<count).filter { !missing.contains($0) }
          let next = (readings: try values.map { try $0.startReading() }, positions: positions, start: start)
          if let pending { try take(pending.readings, pending.positions, pending.start) }
          pending = next
        }
        if let pending { try take(pending.readings, pending.positions, pending.start) }
      }
    }
  }
}

extension Array {
  /// The given rows of a row-major matrix, concatenated.
  /// - Precondition: `positions` ascend.
  func rows(_ positions: [Int], width: Int) -> [Element] {
    // Usually the positions are `0 ..< count`, without gaps.
    if positions.last == positions.count - 1 { return Array(self[..<(positions.count * width)]) }
    return positions.flatMap { self[$0 * width..<($0 + 1) * width] }
  }
}

extension TrainingError {
  /// The error if none of the examples could be read.
  static func noneReadable(of count: Int) -> TrainingError {
    .unmeasurable(reason: "none of the \(count) examples could be read")
  }
}
