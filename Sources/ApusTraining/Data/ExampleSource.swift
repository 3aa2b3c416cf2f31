import ApusData
import ApusTensor

/// Where batches come from: examples that are asked for by their numbers.
public protocol ExampleSource: Sendable {
  /// The number of examples.
  var count: Int { get }

  /// The examples with these numbers, in this order, as they are for evaluation.
  /// - Throws: when they are read from files, and these cannot be.
  /// - Precondition: all are in `0 ..< count`.
  func examples(_ numbers: [Int32]) throws(DataError) -> (inputs: Tensor, targets: Tensor)

  /// Goes through batches, of which later ones may be prepared while earlier ones are used.
  ///
  /// - Parameters:
  ///   - batches: the numbers of the examples of each.
  ///   - first: the batch to begin with.
  ///   - epoch: for training, where examples may be altered from epoch to epoch; `nil` for what `examples` gives.
  func pass(over batches: [[Int32]], from first: Int, epoch: Int?) -> any ExamplePass
}

/// A way through batches, each given once.
public protocol ExamplePass {
  /// The next batch; `nil` behind the last.
  mutating func next() throws(DataError) -> (inputs: Tensor, targets: Tensor)?

  /// How long `next` has waited for examples that were not ready, in seconds.
  var waitedSeconds: Double { get }
}

extension ExampleSource {
  public func pass(over batches: [[Int32]], from first: Int, epoch: Int?) -> any ExamplePass {
    DirectPass(source: self, batches: batches[first...])
  }
}

/// Asks for each batch when its turn comes.
private struct DirectPass: ExamplePass {
  let source: any ExampleSource
  var batches: ArraySlice<[Int32]>
  let waitedSeconds = 0.0

  mutating func next() throws(DataError) -> (inputs: Tensor, targets: Tensor)? {
    guard let numbers = batches.popFirst() else { return nil }
    return try source.examples(numbers)
  }
}

extension LoadedImages: ExampleSource {
  public func examples(_ numbers: [Int32]) -> (inputs: Tensor, targets: Tensor) {
    let batch = batch(numbers)
    return (batch.images, batch.labels)
  }
}

extension TokenWindows: ExampleSource {
  public func examples(_ numbers: [Int32]) -> (inputs: Tensor, targets: Tensor) { batch(numbers) }
}

extension TokenizedTexts: ExampleSource {
  public func examples(_ numbers: [Int32]) -> (inputs: Tensor, targets: Tensor) {
    let batch = batch(numbers)
    return (batch.tokens, batch.labels)
  }
}

extension LoadedTable: ExampleSource {
  public func examples(_ numbers: [Int32]) -> (inputs: Tensor, targets: Tensor) {
    let batch = batch(numbers)
    return (batch.features, batch.targets)
  }
}
