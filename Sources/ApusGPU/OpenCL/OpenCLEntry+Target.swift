import ApusDevice
import COpenCL

extension OpenCLEntry {
  /// Returns the properties that the device's kernels depend on.
  /// - Parameter kernelClass: the kernel class; `nil` for the class that fits the device's type.
  func target(_ kernelClass: KernelTarget.Class?) -> KernelTarget {
    var target = KernelTarget(
      dialect: .openCL, kernelClass: kernelClass ?? (isCPU ? .cpu : .gpu),
      supportsFloat64: info.supportsFloat64)
    target.registerCount = registerCount
    target.computeUnits = max(1, number(CL_DEVICE_MAX_COMPUTE_UNITS, cl_uint.self))
    target.localByteCount = number(CL_DEVICE_LOCAL_MEM_SIZE, cl_ulong.self)
    target.largestGroup = number(CL_DEVICE_MAX_WORK_GROUP_SIZE, Int.self)
    if isCPU { target.tuningFile = target.kernelClass == .cpu ? tuningFile : nil } else { target.vendor = vendor }
    return target
  }

  /// The sub-group configurations to try, best first. NVIDIA's devices do not report sub-groups; the size of their
  /// sub-groups is always 32. On other devices, sub-groups are used only with the extension
  /// `cl_intel_required_subgroup_size`, which lets a kernel set their size.
  var subgroups: [KernelTarget.Subgroup] {
    if vendor == .nvidia { return [KernelTarget.Subgroup(size: 32, access: .ptx)] }
    let extensions = text(CL_DEVICE_EXTENSIONS).split(separator: " ")
    guard extensions.contains("cl_intel_required_subgroup_size") else { return [] }
    let accesses: [(extension: Substring, access: KernelTarget.Subgroup.Access)] = [
      ("cl_khr_subgroup_shuffle_relative", .khr), ("cl_intel_subgroups", .intel),
    ]
    return accesses.filter { extensions.contains($0.extension) }
      .map { KernelTarget.Subgroup(size: 16, access: $0.access) }
  }

  /// For CPUs: the number of kernel registers, of sixteen 32-bit elements each, that fit into the registers of a core.
  /// The device reports only the width of its registers; their number follows from the instruction set: 32 of 512 bits
  /// with AVX-512, 16 of 256 bits with AVX2, 16 of 128 bits with SSE, and 32 of 128 bits with NEON.
  private var registerCount: Int {
    switch number(CL_DEVICE_NATIVE_VECTOR_WIDTH_FLOAT, cl_uint.self) {
    case 16...: return 32
    case 8...: return 8
    default:
      #if arch(arm64)
        return 8
      #else
        return 4
      #endif
    }
  }

  /// The name of the file of `Kernels/tuning` for this device; there are measurements only for CPUs with AVX-512.
  private var tuningFile: String? {
    let platform = platformText(CL_PLATFORM_NAME)
    guard registerCount == 32 else { return nil }
    if platform.hasPrefix("Portable Computing Language") { return "pocl_avx512" }
    return platform.hasPrefix("Intel") ? "intel_avx512" : nil
  }

  private var vendor: KernelTarget.Vendor {
    let name = text(CL_DEVICE_VENDOR).lowercased()
    if name.contains("nvidia") { return .nvidia }
    if name.contains("advanced micro") || name.contains("amd") { return .amd }
    return name.contains("intel") ? .intel : .other
  }
}
