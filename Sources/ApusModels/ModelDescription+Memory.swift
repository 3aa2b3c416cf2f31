import ApusNN
import ApusTensor

extension ModelDescription {
  /// Throws `ModelError.tooLarge` if a model with this number of parameters needs more memory than the device has. Only
  /// the parameters, their gradients and their optimizer state count, all in `float32`.
  public static func checkMemory(
    parameters: Int, rule: any UpdateRule, device: ComputeDevice = .current
  ) throws(ModelError) {
    let valuesEach = 2 + rule.stateNames.count
    let (requested, overflow) = parameters.multipliedReportingOverflow(by: valuesEach * DType.float32.byteCount)
    let available = device.info.memoryByteCount
    guard overflow || requested > available else { return }
    throw .tooLarge(
      parameters: parameters, valuesEach: valuesEach, requested: overflow ? .max : requested, device: device.name,
      available: available)
  }
}
