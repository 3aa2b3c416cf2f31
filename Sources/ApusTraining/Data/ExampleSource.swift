import ApusData
import ApusTensor

/// A source of examples, which are requested in batches, by index.
public protocol ExampleSource: Sendable {
  /// The number of examples.
  var count: Int { get }

  /// The examples with these indices, in this order, in the form used for evaluation (without augmentation).
  /// - Returns: inputs and targets, `[numbers.count, …]` each.
  /// - Throws: when a file that contains examples cannot be read.
  /// - Precondition: all indices are in `0 ..< count`.
  func examples(_ numbers: [Int32]) throws(DataError) -> (inputs: Tensor, targets: Tensor)

  /// Iterates over batches; later batches may be prepared while earlier ones are used.
  ///
  /// - Parameters:
  ///   - batches: the indices of the examples of each batch.
  ///   - first: the index in `batches` of the first batch that the pass returns.
  ///   - epoch: the training epoch, on which augmentation may depend; `nil` for the examples that `examples` returns.
  func pass(over batches: [[Int32]], from first: Int, epoch: Int?) -> any ExamplePass
}

/// An iteration over batches that returns each batch once.
public protocol ExamplePass {
  /// The next batch, inputs and targets of the shapes `[batch, …]`; `nil` after the last.
  /// - Throws: when a file that contains examples cannot be read.
  mutating func next() throws(DataError) -> (inputs: Tensor, targets: Tensor)?

  /// How long `next` has waited for examples that were not ready, in seconds.
  var waitedSeconds: Double { get }

  /// The positions of the examples that could not be read, in the batch that `next` returned last. Evaluation does not
  /// count these examples, and their values in the batch are meaningless. Training batches have no such examples.
  var missing: [Int] { get }
}

extension ExamplePass {
  public var missing: [Int] { [] }
}

extension ExampleSource {
  /// The readable ones among the given examples, in the form used for evaluation.
  /// - Returns: inputs and targets, `[n, …]` each, where `n` is the number of readable examples.
  /// - Throws: when an example cannot be read and the source does not leave it out, or when no example can be read.
  /// - Precondition: all indices are in `0 ..< count`.
  public func readableExamples(_ numbers: [Int32]) throws(DataError) -> (inputs: Tensor, targets: Tensor) {
    var pass = pass(over: [numbers], from: 0, epoch: nil)
    guard let (inputs, targets) = try pass.next() else { fatalError("\(Self.self): a batch is missing") }
    let missing = Set(pass.missing)
    if missing.isEmpty { return (inputs, targets) }
    let rest = numbers.indices.filter { !missing.contains($0) }.map { Int32($0) }
    // Every example is unreadable: `examples` throws the error of the first one.
    guard !rest.isEmpty else { return try examples(numbers) }
    let positions = Tensor(rest, device: inputs.device)
    return (inputs[positions], targets[positions])
  }

  public func pass(over batches: [[Int32]], from first: Int, epoch: Int?) -> any ExamplePass {
    DirectPass(source: self, batches: batches[first...])
  }
}

/// Reads each batch only when it is requested.
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
