import ApusDevice

/// The CUDA kernel source of plans, which can be checked without a device.
enum CUDASource {
  /// The program that a device with this compute capability and 132 multiprocessors would build for a plan. The first
  /// line is a comment with the options for NVRTC.
  /// - Parameters:
  ///   - capability: the compute capability, as 10 × major + minor.
  ///   - choices: the kernels to use; `nil` leaves all choices to the cost models.
  static func program(
    for plan: Plan, capability: Int, choices: TuningTable? = nil
  ) throws(DeviceError) -> String {
    let target = KernelTarget.cuda(capability: capability, computeUnits: 132)
    var lowering = PlanLowering(plan, target: target, choices: choices)
    try lowering.run(device: "cuda")
    var seen: Set<KernelSource> = []
    let kernels = lowering.launches.map(\.kernel).filter { seen.insert($0).inserted }
    let options = CUDADriver.buildOptions(architecture: CUDAEntry.architecture(ofCapability: capability))
    return "// NVRTC options: \(options.joined(separator: " "))\n" + KernelPrelude.text(for: target)
      + kernels.map(\.text).joined(separator: "\n")
  }
}
