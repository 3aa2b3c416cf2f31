import ApusDevice

/// The kernel source of plans in the CUDA dialect, so that it can be checked without a device.
package enum CUDASource {
  /// The program that a CUDA device would build for a plan.
  package static func program(for plan: Plan) throws(DeviceError) -> String {
    var target = KernelTarget(dialect: "prelude/cuda.h", kernelClass: .gpu, supportsFloat64: true)
    target.subgroup = KernelTarget.Subgroup(size: 32, access: .cuda)
    var lowering = PlanLowering(plan, target: target, choices: nil)
    try lowering.run(device: "cuda")
    var seen: Set<KernelSource> = []
    let kernels = lowering.launches.map(\.kernel).filter { seen.insert($0).inserted }
    return KernelPrelude.text(for: target) + kernels.map(\.text).joined(separator: "\n")
  }
}
