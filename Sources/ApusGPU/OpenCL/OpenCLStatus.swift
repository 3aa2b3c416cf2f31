import ApusDevice
import COpenCL

/// A status that an OpenCL function returned.
struct OpenCLStatus: Hashable {
  var code: cl_int

  var isOutOfMemory: Bool {
    [CL_MEM_OBJECT_ALLOCATION_FAILURE, CL_OUT_OF_RESOURCES, CL_OUT_OF_HOST_MEMORY, CL_INVALID_BUFFER_SIZE]
      .contains(code)
  }

  /// Whether the device or the connection to it is lost.
  var isLoss: Bool {
    // Codes of -9999 and below are drivers' own codes, such as NVIDIA's -9999 after an illegal memory access.
    [CL_DEVICE_NOT_AVAILABLE, CL_INVALID_COMMAND_QUEUE, CL_INVALID_CONTEXT, CL_INVALID_EVENT].contains(code)
      || code <= -9999
      || code == CL_EXEC_STATUS_ERROR_FOR_EVENTS_IN_WAIT_LIST
  }

  private var message: String {
    switch code {
    case CL_DEVICE_NOT_FOUND: "no device was found"
    case CL_DEVICE_NOT_AVAILABLE: "the device is not available"
    case CL_COMPILER_NOT_AVAILABLE: "the compiler is not available"
    case CL_MEM_OBJECT_ALLOCATION_FAILURE: "a memory object could not be allocated"
    case CL_OUT_OF_RESOURCES: "out of resources"
    case CL_OUT_OF_HOST_MEMORY: "out of host memory"
    case CL_BUILD_PROGRAM_FAILURE: "the program did not build"
    case CL_INVALID_KERNEL_ARGS: "invalid kernel arguments"
    case CL_INVALID_WORK_GROUP_SIZE: "invalid work-group size"
    case CL_INVALID_COMMAND_QUEUE: "invalid command queue"
    case CL_EXEC_STATUS_ERROR_FOR_EVENTS_IN_WAIT_LIST: "an earlier command failed"
    default: "unknown error"
    }
  }

  /// The error for a failed call on a device.
  /// - Parameter activity: the kernel that failed to run, or the work as a noun phrase, such as `a copy to the host`.
  func error(device: String, activity: String) -> DeviceError {
    isLoss
      ? .lost(device: device, reason: "\(activity) failed with \(self)")
      : .launchFailed(device: device, kernel: activity, reason: description)
  }
}

extension OpenCLStatus: CustomStringConvertible {
  var description: String { "OpenCL error \(code), \(message)" }
}
