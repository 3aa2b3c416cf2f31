import ApusDevice
import CCUDA

/// A status that a function of the CUDA driver returned.
struct CUDAStatus {
  let code: CUresult
  private let driver: CCUDADriver

  init(_ code: CUresult, _ driver: CCUDADriver) { (self.code, self.driver) = (code, driver) }

  var isSuccess: Bool { code == CUDA_SUCCESS }
  var isOutOfMemory: Bool { code == CUDA_ERROR_OUT_OF_MEMORY }

  /// Whether the context is unusable from now on, for example because a launch read or wrote outside of its memory, the
  /// device was removed, or the driver has ended. The driver returns such a status from each later call.
  var isLoss: Bool {
    let lost = [
      CUDA_ERROR_DEINITIALIZED, CUDA_ERROR_DEVICE_UNAVAILABLE, CUDA_ERROR_NO_DEVICE, CUDA_ERROR_INVALID_CONTEXT,
      CUDA_ERROR_ECC_UNCORRECTABLE, CUDA_ERROR_ILLEGAL_ADDRESS, CUDA_ERROR_LAUNCH_TIMEOUT, CUDA_ERROR_ASSERT,
      CUDA_ERROR_HARDWARE_STACK_ERROR, CUDA_ERROR_ILLEGAL_INSTRUCTION, CUDA_ERROR_MISALIGNED_ADDRESS,
      CUDA_ERROR_INVALID_ADDRESS_SPACE, CUDA_ERROR_INVALID_PC, CUDA_ERROR_LAUNCH_FAILED, CUDA_ERROR_UNKNOWN,
    ]
    return lost.contains(code)
  }

  /// The error for a failed call on a device.
  /// - Parameter activity: the kernel that failed to run, or the work as a noun phrase, such as `a copy to the host`.
  func error(device: String, activity: String) -> DeviceError {
    isLoss
      ? .lost(device: device, reason: "\(activity) failed with \(self)")
      : .launchFailed(device: device, kernel: activity, reason: description)
  }
}

extension CUDAStatus: CustomStringConvertible {
  var description: String {
    var text: UnsafePointer<CChar>?
    _ = driver.cuGetErrorString(code, &text)
    return "CUDA error \(code)" + (text.map { ", \(String(cString: $0))" } ?? "")
  }
}
