import ApusSystem

extension KernelTarget {
  /// The target of NVIDIA devices.
  /// - Parameter computeUnits: the number of streaming multiprocessors.
  static func cuda(computeUnits: Int) -> KernelTarget {
    var target = KernelTarget(dialect: .cuda, kernelClass: .gpu, supportsFloat64: true)
    target.vendor = .nvidia
    target.computeUnits = computeUnits
    target.subgroup = Subgroup(size: 32, access: .cuda)
    target.parallelBuilds = HostCores.count
    return target
  }
}
