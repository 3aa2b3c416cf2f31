import Apus

/// One or more lines of `apus bench`.
public protocol Workload: Sendable {
  /// What `--problem` takes, or the name of a step.
  var name: String { get }

  /// Measures on a device and passes each line on as soon as it is there.
  func run(
    on device: ComputeDevice, runs: Int, report: (Measurement) throws -> Void
  ) throws
}

/// A problem that cannot be understood or does not make sense.
public struct ProblemError: Error, Hashable, Sendable, CustomStringConvertible {
  public var description: String
}

/// A workload over random tensors of one element type.
public protocol TypedWorkload: Workload {
  /// The type of their elements.
  var dtype: DType { get set }
}

extension TypedWorkload {
  /// What was measured of this workload.
  func measurement(_ benchmark: String, device: ComputeDevice, timing: Timing) -> Measurement {
    var line = Measurement(benchmark, problem: name, device: device, timing: timing)
    line.dtype = dtype
    return line
  }

  /// Numbers between −1 and 1, on the device, computed.
  func randomTensors(_ shapes: [Shape], on device: ComputeDevice) throws -> [Tensor] {
    var key = RandomKey(seed: 1)
    let tensors = shapes.map { Tensor.uniform($0, lower: -1, upper: 1, key: &key, dtype: dtype, device: device) }
    try eval(tensors)
    try device.synchronize()
    return tensors
  }
}

/// The most elements a tensor of a problem may have: what is above no machine holds.
let maximumElementCount = 1 << 40

/// The most multiplications of a problem: twice as many are still a number.
let maximumWork = 1 << 60

/// Whether a tensor of these extents is worth trying.
func isReasonable(_ extents: [Int]) -> Bool {
  var product = 1
  for extent in extents {
    guard extent > 0, extent <= maximumElementCount / product else { return false }
    product *= extent
  }
  return true
}
