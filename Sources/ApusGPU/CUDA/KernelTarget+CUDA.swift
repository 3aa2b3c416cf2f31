import ApusSystem

extension KernelTarget {
  /// The target of NVIDIA devices.
  /// - Parameters:
  ///   - capability: the compute capability, as 10 × major + minor.
  ///   - computeUnits: the number of streaming multiprocessors.
  static func cuda(capability: Int, computeUnits: Int) -> KernelTarget {
    var target = KernelTarget(dialect: .cuda, kernelClass: .gpu, supportsFloat64: true)
    target.vendor = .nvidia
    target.computeUnits = computeUnits
    // Compute capability 7.5 has matrix units too, but no asynchronous copies and no products of bfloat16.
    target.hasMatrixUnits = capability >= 80
    target.subgroup = Subgroup(size: 32, access: .cuda)
    target.parallelBuilds = HostCores.count
    return target
  }
}
