import ApusDevice
import COpenCL
import Synchronization

/// The entry points of the OpenCL loader.
struct OpenCLFunctions: @unchecked Sendable {
  let table: UnsafePointer<COpenCLFunctions>

  /// Returns the loader of this process, or throws the reason why there is none.
  static func open() throws(DeviceError) -> OpenCLFunctions {
    guard let table = copencl_functions() else {
      throw .unavailable(
        device: "opencl",
        reason: "the OpenCL loader was not found (\(String(cString: copencl_failure()))); install it and a platform, "
          + "for example: apt install ocl-icd-libopencl1 pocl-opencl-icd")
    }
    return OpenCLFunctions(table: table)
  }

  var functions: COpenCLFunctions { table.pointee }
}

/// One device of one platform, not yet opened.
struct OpenCLEntry: @unchecked Sendable {
  let platform: cl_platform_id
  let device: cl_device_id
  let index: Int
  let api: OpenCLFunctions
  /// The number of the sub-device, and the count of sub-devices; `nil` for a whole device.
  var part: (number: Int, count: Int)?

  /// Locked while platforms are queried.
  private static let enumeration = Mutex(())

  /// Returns every device of every platform, in the order of the loader.
  /// - Throws: `DeviceError.unavailable` when there is no loader, no platform or no device.
  static func all() throws(DeviceError) -> [OpenCLEntry] {
    let api = try OpenCLFunctions.open()
    // PoCL reports no devices to a thread while the first query of another thread initializes it.
    return try enumeration.withLock { _ throws(DeviceError) -> [OpenCLEntry] in
      PoCLCache.prepare()
      var entries: [OpenCLEntry] = []
      for platform in platforms(api) {
        for device in devices(of: platform, api) {
          entries.append(OpenCLEntry(platform: platform, device: device, index: entries.count, api: api))
        }
      }
      guard !entries.isEmpty else {
        throw .unavailable(
          device: "opencl",
          reason:
            "the OpenCL loader finds no platform with a device; install one, for example: apt install pocl-opencl-icd; "
            + "or check OCL_ICD_VENDORS, /etc/OpenCL/vendors and, for PoCL, that its cache folder (XDG_CACHE_HOME or "
            + "POCL_CACHE_DIR) is writable")
      }
      return entries
    }
  }

  private static func platforms(_ api: OpenCLFunctions) -> [cl_platform_id] {
    var count: cl_uint = 0
    guard api.functions.clGetPlatformIDs(0, nil, &count) == CL_SUCCESS, count > 0 else { return [] }
    var identifiers = [cl_platform_id?](repeating: nil, count: Int(count))
    guard api.functions.clGetPlatformIDs(count, &identifiers, nil) == CL_SUCCESS else { return [] }
    return identifiers.compactMap(\.self)
  }

  private static func devices(of platform: cl_platform_id, _ api: OpenCLFunctions) -> [cl_device_id] {
    let all = cl_device_type(0xFFFF_FFFF)
    var count: cl_uint = 0
    guard api.functions.clGetDeviceIDs(platform, all, 0, nil, &count) == CL_SUCCESS, count > 0 else {
      return []
    }
    var identifiers = [cl_device_id?](repeating: nil, count: Int(count))
    guard api.functions.clGetDeviceIDs(platform, all, count, &identifiers, nil) == CL_SUCCESS else { return [] }
    return identifiers.compactMap(\.self)
  }
}

// MARK: - Parts

extension OpenCLEntry {
  /// Returns sub-device `number` (from 0) of `count` equal parts of the device's compute units.
  /// - Throws: `DeviceError.unavailable` if the device cannot be divided into these parts.
  func part(_ number: Int, of count: Int) throws(DeviceError) -> OpenCLEntry {
    let units = self.number(CL_DEVICE_MAX_COMPUTE_UNITS, cl_uint.self)
    let name = "\(identifier).\(number)/\(count)"
    guard count >= 1, (0..<count).contains(number), units >= count else {
      throw .unavailable(
        device: name,
        reason: "\(identifier) has \(units) compute units; in opencl:N.P/C, C must be from 1 to \(units), "
          + "and P from 0 to C - 1")
    }
    let parts = try Self.parts.withLock { created throws(DeviceError) in
      if let parts = created[PartsKey(device: device, count: count)] { return parts }
      let parts = try divide(unitCount: units / count, named: name)
      guard parts.count >= count else {
        throw .unavailable(device: name, reason: "dividing \(identifier) gave only \(parts.count) parts")
      }
      created[PartsKey(device: device, count: count)] = parts
      return parts
    }
    return OpenCLEntry(platform: platform, device: parts[number], index: index, api: api, part: (number, count))
  }

  /// Divides the device into sub-devices of `unitCount` compute units each.
  private func divide(unitCount: Int, named name: String) throws(DeviceError) -> [cl_device_id] {
    let largestCount = number(CL_DEVICE_MAX_COMPUTE_UNITS, cl_uint.self)
    var properties = [cl_device_partition_property(CL_DEVICE_PARTITION_EQUALLY), unitCount, 0]
    var count: cl_uint = 0
    var parts = [cl_device_id?](repeating: nil, count: largestCount)
    let status = api.functions.clCreateSubDevices(device, &properties, cl_uint(largestCount), &parts, &count)
    guard status == CL_SUCCESS else {
      throw .unavailable(device: name, reason: "dividing \(identifier) failed: \(OpenCLStatus(code: status))")
    }
    return parts.prefix(Int(count)).compactMap(\.self)
  }

  private struct PartsKey: Hashable {
    let device: cl_device_id
    let count: Int
  }

  /// The sub-devices of each division so far. They are never released: PoCL 3.1 still uses a sub-device on its worker
  /// threads after the last queue and context of the sub-device have been released.
  private static let parts = Mutex<[PartsKey: [cl_device_id]]>([:])
}

// MARK: - Properties

extension OpenCLEntry {
  var identifier: String { "opencl:\(index)" + (part.map { ".\($0.number)/\($0.count)" } ?? "") }

  func text(_ property: Int32) -> String {
    var size = 0
    guard api.functions.clGetDeviceInfo(device, cl_device_info(property), 0, nil, &size) == CL_SUCCESS, size > 0
    else { return "" }
    var bytes = [UInt8](repeating: 0, count: size)
    _ = api.functions.clGetDeviceInfo(device, cl_device_info(property), size, &bytes, nil)
    return String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
  }

  func platformText(_ property: Int32) -> String {
    var size = 0
    let property = cl_platform_info(property)
    guard api.functions.clGetPlatformInfo(platform, property, 0, nil, &size) == CL_SUCCESS, size > 0
    else { return "" }
    var bytes = [UInt8](repeating: 0, count: size)
    _ = api.functions.clGetPlatformInfo(platform, property, size, &bytes, nil)
    return String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
  }

  func number<T: FixedWidthInteger>(_ property: Int32, _ type: T.Type) -> Int {
    var value: T = 0
    let size = MemoryLayout<T>.size
    guard api.functions.clGetDeviceInfo(device, cl_device_info(property), size, &value, nil) == CL_SUCCESS
    else { return 0 }
    return Int(clamping: value)
  }

  private var type: Int { number(CL_DEVICE_TYPE, cl_device_type.self) }
  var isCPU: Bool { type & Int(CL_DEVICE_TYPE_CPU) != 0 }

  var info: DeviceInfo { info(forcedClass: nil) }

  /// - Parameter forcedClass: the kernel class of `APUS_KERNEL_CLASS`, which the description then names.
  func info(forcedClass: KernelTarget.Class?) -> DeviceInfo {
    let isGPU = type & Int(CL_DEVICE_TYPE_GPU) != 0
    let isUnified = number(CL_DEVICE_HOST_UNIFIED_MEMORY, cl_bool.self) != 0
    // The alignment is reported in bits.
    let alignment = max(64, number(CL_DEVICE_MEM_BASE_ADDR_ALIGN, cl_uint.self) / 8)
    return DeviceInfo(
      kind: .opencl, identifier: identifier, name: text(CL_DEVICE_NAME), vendor: text(CL_DEVICE_VENDOR),
      driver: "\(platformText(CL_PLATFORM_NAME)), \(text(CL_DEVICE_VERSION)), \(text(CL_DRIVER_VERSION))"
        + (forcedClass.map { ", kernels of class \($0.rawValue)" } ?? ""),
      isDiscreteGPU: isGPU && !isUnified,
      computeUnits: number(CL_DEVICE_MAX_COMPUTE_UNITS, cl_uint.self),
      memoryByteCount: number(CL_DEVICE_GLOBAL_MEM_SIZE, cl_ulong.self),
      maximumAllocationByteCount: number(CL_DEVICE_MAX_MEM_ALLOC_SIZE, cl_ulong.self) - 2 * blockSlack,
      alignment: alignment, supportsFloat64: number(CL_DEVICE_DOUBLE_FP_CONFIG, cl_ulong.self) != 0)
  }
}
