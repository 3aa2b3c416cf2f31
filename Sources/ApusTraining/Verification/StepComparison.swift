import ApusNN
import ApusTensor

/// A training step on several devices, compared operation by operation.
///
/// The step runs on each device as a whole, and every intermediate value is kept. Then each operation is repeated on
/// the device `reference`, alone and with the inputs that it had in the step. The two results must be equal within the
/// tolerance for this kind of operation. Thus rounding errors do not accumulate from operation to operation, and the
/// wrong operation is named instead of one that depends on it.
public struct StepComparison: Sendable {
  /// A difference in an element of an operation's result.
  public struct Difference: Hashable, Sendable {
    /// The device whose result differs.
    public var device: String
    /// The operation's position in the step, from 1.
    public var position: Int
    /// The operation's name.
    public var operation: String
    /// The extents of the result.
    public var shape: [Int]
    /// The element's index in row-major order.
    public var element: Int
    /// The device's value.
    public var value: Double
    /// The value that the device `reference` gives.
    public var expected: Double
    /// The difference as a fraction of the tolerance; a fraction above 1 is a divergence.
    public var share: Double

    /// Whether the difference exceeds the tolerance.
    public var isDivergence: Bool { share > 1 }
  }

  /// The number of operations of the step.
  public var operationCount = 0
  /// The loss on each device, in the order of the devices.
  public var losses: [Double] = []
  /// The first difference beyond its tolerance.
  public var divergence: Difference?
  /// The largest difference relative to its tolerance, among the operations up to `divergence`.
  public var largest: Difference?

  /// Runs and compares a step.
  ///
  /// - Parameters:
  ///   - devices: each runs the whole step. The results are compared with those of `reference`, up to the first
  ///     divergence.
  ///   - reference: the device that repeats each operation.
  ///   - step: builds the step on a device, without evaluating anything. The first tensor is the loss, which has one
  ///     element; the other tensors may have any shape.
  /// - Throws: what `step` throws, and `DeviceError` when a value cannot be computed.
  public init(
    on devices: [ComputeDevice], reference: ComputeDevice, step: (ComputeDevice) throws -> [Tensor]
  ) throws {
    for device in devices {
      let roots = try step(device)
      let operations = pendingOperations(of: roots)
      try eval(operations.map(\.result) + roots)
      losses.append(try roots[0].scalar())
      operationCount = max(operationCount, operations.count)
      guard divergence == nil else { continue }
      var replay = Replay(reference: reference)
      for (index, operation) in operations.enumerated() {
        guard var found = try replay.difference(of: operation) else { continue }
        found.position = index + 1
        if found.share > largest?.share ?? 0 { largest = found }
        if found.isDivergence {
          divergence = found
          break
        }
      }
    }
  }
}

/// Repeats operations on the device `reference`.
private struct Replay {
  let reference: ComputeDevice
  /// The copies of tensors on `reference`, by the identity of the original.
  private var copies: [TensorIdentity: Tensor] = [:]

  init(reference: ComputeDevice) { self.reference = reference }

  /// Repeats an operation and compares the results. Returns the difference in the element whose difference is largest
  /// relative to its tolerance; `nil` when all elements are equal.
  mutating func difference(of operation: PendingOperation) throws -> StepComparison.Difference? {
    let result = operation.result
    var inputs: [Tensor] = []
    for input in operation.inputs { inputs.append(try copy(input)) }
    let expected = try operation.repeated(on: reference, with: inputs).array(of: Double.self)
    let values = try copy(result).array(of: Double.self)
    var magnitudes: [Double] = []
    switch operation.accuracy {
    case .exact, .elementwise: break
    case .composed:
      magnitudes = Array(repeating: expected.reduce(0) { max($0, abs($1)) }, count: expected.count)
    case .sum:
      // The sum of the terms' magnitudes is the result of the same operation on the inputs' magnitudes.
      let absolute = inputs.map { $0.dtype.isFloatingPoint ? $0.abs() : $0 }
      magnitudes = try operation.repeated(on: reference, with: absolute).array(of: Double.self)
    }
    let tolerance = Tolerance(dtype: result.dtype, accuracy: operation.accuracy)
    var worst: (element: Int, share: Double) = (0, 0)
    for index in values.indices {
      let magnitude = magnitudes.isEmpty ? 0 : magnitudes[index]
      let share = tolerance.share(values[index], expected[index], magnitude: magnitude)
      if share > worst.share { worst = (index, share) }
    }
    guard worst.share > 0 else { return nil }
    return StepComparison.Difference(
      device: result.device.name, position: 0, operation: operation.name, shape: Array(result.shape),
      element: worst.element, value: values[worst.element], expected: expected[worst.element], share: worst.share)
  }

  private mutating func copy(_ tensor: Tensor) throws -> Tensor {
    if let copy = copies[tensor.identity] { return copy }
    let copy = try tensor.moved(to: reference)
    copies[tensor.identity] = copy
    return copy
  }
}
