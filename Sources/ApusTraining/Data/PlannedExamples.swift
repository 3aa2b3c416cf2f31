import ApusData
import ApusTensor

/// Examples of which only the shapes matter, for planning a training run: see ``TrainingMemory``.
public struct PlannedExamples: ExampleSource {
  /// Creates a tensor of the given shape and type. Like an uploaded batch, it has its own buffer.
  public typealias Upload = (_ shape: Shape, _ dtype: DType) -> Tensor

  public let count: Int
  private let make: @Sendable (_ count: Int, _ upload: Upload) -> (inputs: Tensor, targets: Tensor)

  /// - Parameters:
  ///   - count: the number of examples.
  ///   - make: builds the inputs and targets of `count` examples, `[count, …]` each, from tensors that `upload`
  ///     returns.
  public init(
    count: Int, _ make: @escaping @Sendable (_ count: Int, _ upload: Upload) -> (inputs: Tensor, targets: Tensor)
  ) {
    self.count = count
    self.make = make
  }

  public func examples(_ numbers: [Int32]) throws(DataError) -> (inputs: Tensor, targets: Tensor) {
    make(numbers.count) { shape, dtype in
      let values = Tensor.zeros(shape, dtype: dtype)
      // Without its own buffer the tensor would be a constant of the plan.
      _ = try? eval(values)
      return values
    }
  }
}
