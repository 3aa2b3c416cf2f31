import ApusNN
import ApusTensor

extension ModelDescription {
  /// Throws `ModelError.tooLarge` if the device has less memory than `parameters` numbers, their gradients and their
  /// optimizer state need in `float32`.
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
