import ApusDevice

/// The CUDA kernel source of plans, which can be checked without a device.
package enum CUDASource {
  /// The program that a device like an H100 would build for a plan. The first line is a comment with the options for
  /// NVRTC.
  package static func program(for plan: Plan) throws(DeviceError) -> String {
    let target = KernelTarget.cuda(computeUnits: 132)
    var lowering = PlanLowering(plan, target: target, choices: nil)
    try lowering.run(device: "cuda")
    var seen: Set<KernelSource> = []
    let kernels = lowering.launches.map(\.kernel).filter { seen.insert($0).inserted }
    let options = CUDADriver.buildOptions(architecture: CUDAEntry.architecture(ofCapability: 90))
    return "// NVRTC options: \(options.joined(separator: " "))\n" + KernelPrelude.text(for: target)
      + kernels.map(\.text).joined(separator: "\n")
  }
}
