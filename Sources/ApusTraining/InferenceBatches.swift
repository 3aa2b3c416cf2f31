import ApusNN
import ApusTensor

/// A model that runs in inference over all examples, in order.
///
/// The last batch is filled up with copies of an example that are not counted, so that all batches run the same
/// plan. Batch `i` is read while batch `i + 1` runs.
struct InferenceBatches {
  let model: any Layer
  let source: any ExampleSource
  /// Cut down to the number of examples.
  let batchSize: Int

  /// The number of examples in every batch, filled up.
  static func size(_ batchSize: Int, _ source: any ExampleSource) -> Int { max(1, min(batchSize, source.count)) }

  /// Runs all batches.
  /// - Parameters:
  ///   - read: from a batch's outputs and targets to what is read of it.
  ///   - take: is given that, and how many of the batch's examples count.
  func run(
    read: (_ outputs: Tensor, _ targets: Tensor) -> [Tensor],
    take: (_ readings: [Reading], _ count: Int) throws -> Void
  ) throws(TrainingError) {
    let size = InferenceBatches.size(batchSize, source)
    let starts = Array(stride(from: 0, to: source.count, by: size))
    let batches = starts.map { start in
      (start..<start + size).map { Int32($0 < source.count ? $0 : start) }
    }
    try reportingTraining {
      try withMode(.inference) {
        var pass = source.pass(over: batches, from: 0, epoch: nil)
        var pending: (readings: [Reading], count: Int)?
        for start in starts {
          let count = min(size, source.count - start)
          guard let (inputs, targets) = try pass.next() else { break }
          let values = read(model(inputs), targets)
          try eval(values)
          let next = (readings: try values.map { try $0.startReading() }, count: count)
          if let pending { try take(pending.readings, pending.count) }
          pending = next
        }
        if let pending { try take(pending.readings, pending.count) }
      }
    }
  }
}
