/// The properties of a device on which kernel source and the build of programs depend.
package struct KernelTarget: Sendable, Hashable {
  /// The two kinds of kernels. Kernels for CPUs have one work-item per work-group, which computes in long vectors;
  /// kernels for GPUs have work-groups of many work-items that share local memory.
  package enum Class: String, Sendable, Hashable, CaseIterable { case cpu, gpu }

  /// The languages of kernel source.
  enum Dialect: Sendable, Hashable {
    case openCL, cuda

    /// The file of `Kernels` that maps the names in kernel source, such as `GLOBAL`, to this language.
    var file: String { self == .openCL ? "prelude/opencl.h" : "prelude/cuda.h" }
    /// The extension of the names of source files.
    var fileExtension: String { self == .openCL ? "cl" : "cu" }
  }

  /// In CUDA, the local memory in bytes that kernels can declare (static shared memory). Larger local arrays are in
  /// dynamic shared memory, which the launch provides.
  static let staticLocalByteCount = 48 << 10

  var dialect: Dialect
  var kernelClass: Class
  var supportsFloat64: Bool
  /// For CPUs: the number of kernel registers, of `width` 32-bit elements each, that fit into the registers of a core.
  var registerCount = 32
  /// For GPUs: the vendor, if it affects the choice of kernels.
  var vendor = Vendor.other
  /// For GPUs: the local memory of a work-group in bytes, and the maximum number of its work-items.
  var localByteCount = KernelTarget.staticLocalByteCount
  var largestGroup = 1024
  /// For GPUs: how work-items read registers of other work-items; `nil` if they cannot.
  var subgroup: Subgroup?
  /// For CUDA: whether the kernels can use the matrix units and asynchronous copies of `Kernels/prelude/matrix.h`.
  var hasMatrixUnits = false
  /// For CUDA: whether the kernels can use the warpgroup MMA (wgmma) and the TMA copies of `Kernels/prelude/hopper.h`.
  var hasWarpgroups = false
  /// The number of compute units.
  var computeUnits = 1
  /// Everything that a built program depends on, except its source: device, driver and platform with their versions.
  var fingerprint: [String] = []
  /// The number of programs that the driver builds in parallel.
  var parallelBuilds = 1
  /// The name, without extension, of the file of `Kernels/tuning` with measurements for devices of this kind; `nil` if
  /// there is none.
  var tuningFile: String?

  /// Consecutive work-items that run in lockstep and can read each other's registers.
  struct Subgroup: Sendable, Hashable {
    /// Whose shuffle functions the kernels call: those of OpenCL, Intel, NVIDIA's PTX or CUDA. The raw value is the
    /// macro that selects them in `Kernels/prelude/subgroup.h`.
    enum Access: String {
      case khr = "SUBGROUP_KHR", intel = "SUBGROUP_INTEL", ptx = "SUBGROUP_PTX", cuda = "SUBGROUP_CUDA"
    }

    /// The number of work-items: a power of two, at most 256.
    var size: Int
    var access: Access
  }

  /// A GPU vendor.
  package enum Vendor: Sendable, Hashable { case nvidia, amd, intel, other }

  init(dialect: Dialect, kernelClass: Class, supportsFloat64: Bool) {
    self.dialect = dialect
    self.kernelClass = kernelClass
    self.supportsFloat64 = supportsFloat64
  }

  /// The number of elements in a register of a work-item.
  var width: Int { kernelClass == .cpu ? 16 : 1 }

  /// For CPUs: the number of work-items that a kernel should have if a finer split of its work repeats little work.
  /// There are several work-items for each core, so that a core that finishes early runs more of them.
  var enoughItems: Int { 16 * computeUnits }

  /// For CPUs: the number of work-items that a kernel should have if each work-item packs factors of a product, or
  /// stores partial sums and loads them again. It is lower than `enoughItems`, because a finer split repeats this work.
  var enoughPackingItems: Int { 4 * computeUnits }
}
