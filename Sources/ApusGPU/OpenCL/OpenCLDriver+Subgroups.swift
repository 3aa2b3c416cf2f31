import ApusDevice
import ApusSystem

extension OpenCLDriver {
  /// Returns the first sub-group configuration that works.
  func first(of subgroups: [KernelTarget.Subgroup]) throws(DeviceError) -> KernelTarget.Subgroup? {
    for subgroup in subgroups where try works(subgroup) { return subgroup }
    return nil
  }

  /// Whether a probe kernel that reads registers of other work-items builds, runs and reads the expected values.
  /// - Throws: Errors that the kernel does not cause, such as a lack of memory. Such an error must not change the
  ///   choice of kernels, because the bits of results depend on this choice.
  func works(_ subgroup: KernelTarget.Subgroup) throws(DeviceError) -> Bool {
    var target = target
    target.subgroup = subgroup
    let text = KernelPrelude.dialect(of: target) + KernelPrelude.file("probe/subgroup.cl")
    do throws(DeviceError) {
      let source = ProgramSource(name: "subgroup_probe", text: text, kernels: ["subgroup_probe"])
      let module = try compile([source])[0].get().module
      let launch = Launch(
        module: module, kernel: "subgroup_probe", label: "subgroup_probe", slots: [0], geometryOffset: 0, groups: 1,
        localSize: 256, localByteCount: 0, tag: 0)
      let memory = try allocate(byteCount: 256 * 4)
      try replay(record([launch], loops: []), 0..<1, memories: [memory])
      let transfer = try copyOut(memory, byteCount: 256 * 4)
      return try transfer.wait().bindMemory(to: Int32.self).allSatisfy { $0 == 1 }
    } catch {
      switch error {
      case .buildFailed, .launchFailed:
        if options.logsLaunches { warn("\(info.identifier): no sub-groups: \(error)") }
        return false
      default: throw error
      }
    }
  }
}
