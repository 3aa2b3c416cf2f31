import ApusTensor

/// The number of valid elements of each sequence in a batch.
enum SequenceLengths {
  case known([Int])
  /// Integers `[batch]`, which may depend on other tensors. They are checked on the device.
  case computed(Tensor)

  /// A mask `[count, batch, 1]`: whether a sequence has an element at a time step. `count` is the number of time steps.
  func mask(count: Int, device: ComputeDevice) -> Tensor {
    switch self {
    case .known(let lengths):
      let flags = (0..<count).flatMap { time in lengths.map { time < $0 } }
      return Tensor(flags, shape: [count, lengths.count, 1], device: device)
    case .computed(let lengths):
      let times = Tensor.indices([count], axis: 0, device: device)
      // `rows` reports indices out of range, and so lengths outside 1 … count.
      let last = times.rows(at: lengths.cast(to: .int64) - 1, for: "a sequence length minus 1")
      return times.reshaped(to: [count, 1, 1]) .<= last.reshaped(to: [1, lengths.elementCount, 1])
    }
  }

  /// The error message if the lengths do not fit `count` time steps or a batch of `batch` sequences; otherwise `nil`.
  func problem(count: Int, batch: Int) -> String? {
    switch self {
    case .known(let lengths):
      guard lengths.count == batch else { return "got \(lengths.count) lengths for a batch of \(batch)" }
      guard let bad = lengths.first(where: { $0 < 1 || $0 > count }) else { return nil }
      return "the length \(bad) is not in 1 ... \(count)"
    case .computed(let lengths):
      let isFitting = lengths.shape == [batch] && lengths.dtype.isInteger
      return isFitting ? nil : "the lengths \(lengths.dtype) \(lengths.shape) are not integers of shape [\(batch)]"
    }
  }
}
