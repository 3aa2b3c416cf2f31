import ApusData
import ApusTensor

/// Examples that have shapes alone, to plan training with: see ``TrainingMemory``.
public struct PlannedExamples: ExampleSource {
  /// Makes memory of a shape and type, as a batch that was uploaded has it.
  public typealias Upload = (_ shape: Shape, _ dtype: DType) -> Tensor

  public let count: Int
  private let make: @Sendable (_ count: Int, _ upload: Upload) -> (inputs: Tensor, targets: Tensor)

  /// - Parameter make: builds a given number of examples in the form that `upload` gives.
  public init(
    count: Int, _ make: @escaping @Sendable (_ count: Int, _ upload: Upload) -> (inputs: Tensor, targets: Tensor)
  ) {
    self.count = count
    self.make = make
  }

  public func examples(_ numbers: [Int32]) throws(DataError) -> (inputs: Tensor, targets: Tensor) {
    make(numbers.count) { shape, dtype in
      let values = Tensor.zeros(shape, dtype: dtype)
      // Without memory of its own it would be a constant of the plan.
      try? eval([values])
      return values
    }
  }
}
