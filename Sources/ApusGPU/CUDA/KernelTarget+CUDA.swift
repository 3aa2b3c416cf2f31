import ApusSystem

extension KernelTarget {
  /// The target of NVIDIA devices.
  /// - Parameters:
  ///   - capability: the compute capability, as 10 × major + minor.
  ///   - computeUnits: the number of streaming multiprocessors.
  ///   - localByteCount: the maximum shared memory of a block in bytes, with the opt-in for more than 48 KiB; by
  ///     default, the value for the compute capability.
  static func cuda(capability: Int, computeUnits: Int, localByteCount: Int? = nil) -> KernelTarget {
    var target = KernelTarget(dialect: .cuda, kernelClass: .gpu, supportsFloat64: true)
    target.vendor = .nvidia
    target.computeUnits = computeUnits
    target.localByteCount = localByteCount ?? localByteCounts[capability] ?? staticLocalByteCount
    // Compute capability 7.5 has matrix units too, but no asynchronous copies (cp.async) and no products of bfloat16.
    target.hasMatrixUnits = capability >= 80
    // Later compute capabilities do not have the wgmma instructions.
    target.hasWarpgroups = capability == 90
    target.subgroup = Subgroup(size: 32, access: .cuda)
    target.parallelBuilds = HostCores.count
    return target
  }

  /// The maximum shared memory of a block in bytes, with the opt-in, for each compute capability.
  /// Source: "Technical Specifications per Compute Capability" in NVIDIA's CUDA C++ Programming Guide.
  private static let localByteCounts = [
    75: 64 << 10, 80: 163 << 10, 86: 99 << 10, 87: 163 << 10, 89: 99 << 10, 90: 227 << 10, 100: 227 << 10,
    120: 99 << 10,
  ]
}
