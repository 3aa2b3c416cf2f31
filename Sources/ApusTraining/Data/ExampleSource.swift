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

  /// The places in the last batch of examples that could not be read and do not count; what stands there is no example.
  /// Batches of training have none.
  var missing: [Int] { get }
}

extension ExamplePass {
  public var missing: [Int] { [] }
}

extension ExampleSource {
  /// Those of some examples that can be read, as they are for evaluation.
  /// - Throws: when one cannot be read and must not be left out, or none can be read.
  /// - Precondition: all numbers are in `0 ..< count`.
  public func readableExamples(_ numbers: [Int32]) throws(DataError) -> (inputs: Tensor, targets: Tensor) {
    var pass = pass(over: [numbers], from: 0, epoch: nil)
    guard let (inputs, targets) = try pass.next() else { fatalError("\(Self.self): a batch is missing") }
    let missing = Set(pass.missing)
    if missing.isEmpty { return (inputs, targets) }
    let rest = numbers.indices.filter { !missing.contains($0) }.map { Int32($0) }
    // The error says what is wrong with the first.
    guard !rest.isEmpty else { return try examples(numbers) }
    let places = Tensor(rest, device: inputs.device)
    return (inputs.gathering(places), targets.gathering(places))
  }

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
