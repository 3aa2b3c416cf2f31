import ApusTensor

/// The updates that a loss scaler has given up one after the other, as far as the host knows: its counter is read one
/// update late, when the device has finished it or nearly.
struct SkippedUpdates {
  /// After this many the scale is 2⁻²⁰ of its first value: if gradients are still not finite, the scale is not the cause.
  static let limit = 20

  private var inARow = 0
  /// The counter after the last update that was looked at; `nil` where it is not known.
  private var total: Double?
  private var reading: Reading?

  /// - Parameter total: the counter to begin with.
  init(total: Double?) { self.total = total }

  /// Notes the counter after an update.
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

  /// Whether as many updates in a row as the limit were given up.
  mutating func reachLimit() throws(DeviceError) -> Bool {
    // One update before the limit waiting costs nothing that matters.
    if inARow == SkippedUpdates.limit - 1 { try drain() }
    return inARow >= SkippedUpdates.limit
  }
}

extension LossScaler {
  /// Looks for the first operation of a loss or its scaled gradients that gives NaN or an infinity.
  /// - Throws: `OptimizerError.skippedUpdates` that names it, if there is one.
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
