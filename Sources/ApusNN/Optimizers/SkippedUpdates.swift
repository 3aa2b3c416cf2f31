import ApusTensor

/// The number of consecutive updates that a loss scaler has skipped. The device counts all skipped updates. The host
/// reads this counter one update late, so that it hardly ever waits for the device.
struct SkippedUpdates {
  /// After this many skipped updates with the default backoff factor of ½, the scale is 2⁻²⁰ times its earlier value.
  /// If gradients are still not finite, the scale is not the cause.
  static let limit = 20

  private var inARow = 0
  /// The last counter value read; `nil` if unknown.
  private var total: Double?
  private var reading: Reading?

  /// - Parameter total: the initial value of the counter.
  init(total: Double?) { self.total = total }

  /// Starts to read the counter after an update, and takes the value that the previous call started to read.
  mutating func note(_ counter: Tensor) throws(DeviceError) {
    let next = try counter.startReading()
    try drain()
    reading = next
  }

  private mutating func drain() throws(DeviceError) {
    guard let found = try reading?.scalar() else { return }
    reading = nil
    if let total { inARow = found > total ? inARow + 1 : 0 }
    total = found
  }

  /// Whether the limit of consecutive skipped updates is reached.
  mutating func reachLimit() throws(DeviceError) -> Bool {
    // The host waits for the device here, but only one update before the limit.
    if inARow == SkippedUpdates.limit - 1 { try drain() }
    return inARow >= SkippedUpdates.limit
  }
}

extension LossScaler {
  /// Computes a loss and its scaled gradients, and finds the first operation that produces NaN or infinity.
  /// - Throws: `OptimizerError.skippedUpdates` with that operation, if there is one.
  func reportAnomaly(of parameters: [Parameter], _ loss: () throws -> Tensor) throws {
    do {
      try detectingAnomalies {
        let (value, gradients) = try recordingGradients {
          let value = try loss()
          return (value, differentiate(scaled(value), parameters))
        }
        try eval([value] + gradients.tensors.compactMap(\.self))
      }
    } catch DeviceError.notFinite(let anomaly) {
      throw OptimizerError.skippedUpdates(count: SkippedUpdates.limit, anomaly)
    }
  }
}
