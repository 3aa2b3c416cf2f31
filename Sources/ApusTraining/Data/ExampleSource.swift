import ApusData
import ApusTensor

/// Where batches come from: examples that are asked for by their numbers.
public protocol ExampleSource: Sendable {
  /// The number of examples.
  var count: Int { get }

  /// The examples with these numbers, in this order.
  /// - Precondition: all are in `0 ..< count`.
  func examples(_ numbers: [Int32]) -> (inputs: Tensor, targets: Tensor)
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
