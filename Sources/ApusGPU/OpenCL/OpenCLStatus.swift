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
    [CL_DEVICE_NOT_AVAILABLE, CL_INVALID_COMMAND_QUEUE, CL_INVALID_CONTEXT, CL_INVALID_EVENT].contains(code)
      || code <= -9999
      || code == CL_EXEC_STATUS_ERROR_FOR_EVENTS_IN_WAIT_LIST
  }

  var name: String {
    switch code {
    case CL_DEVICE_NOT_FOUND: "no device found"
    case CL_DEVICE_NOT_AVAILABLE: "the device is not available"
    case CL_COMPILER_NOT_AVAILABLE: "no compiler"
    case CL_MEM_OBJECT_ALLOCATION_FAILURE: "memory object allocation failure"
    case CL_OUT_OF_RESOURCES: "out of resources"
    case CL_OUT_OF_HOST_MEMORY: "out of host memory"
    case CL_BUILD_PROGRAM_FAILURE: "build failure"
    case CL_INVALID_KERNEL_ARGS: "invalid kernel arguments"
    case CL_INVALID_WORK_GROUP_SIZE: "invalid work-group size"
    case CL_INVALID_COMMAND_QUEUE: "invalid command queue"
    case CL_EXEC_STATUS_ERROR_FOR_EVENTS_IN_WAIT_LIST: "an earlier command failed"
    default: "status"
    }
  }

  /// The error for a failed call on `device` while doing `activity`.
  func error(device: String, activity: String) -> DeviceError {
    let reason = "\(activity): OpenCL \(name) (\(code))"
    return isLoss
      ? .lost(device: device, reason: reason)
      : .launchFailed(device: device, kernel: activity, reason: "OpenCL \(name) (\(code))")
  }
}
