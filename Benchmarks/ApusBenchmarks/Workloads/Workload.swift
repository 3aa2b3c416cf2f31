import Apus

/// A benchmark that gives one or more lines of `apus bench`.
public protocol Workload: Sendable {
  /// The value of `--problem`, or for `apus bench step` the name of the workload.
  var name: String { get }

  /// Measures on a device, and calls `report` with each measurement as soon as it is complete.
  func run(
    on device: ComputeDevice, runs: Int, report: (Measurement) throws -> Void
  ) throws
}

/// The error for a problem that has an unknown name, a name that cannot be parsed, invalid sizes, or a first loss that
/// is not finite.
public struct ProblemError: Error, Hashable, Sendable, CustomStringConvertible {
  public var description: String
}

/// A workload on random tensors of one element type.
public protocol TypedWorkload: Workload {
  /// The element type of the tensors.
  var dtype: DType { get set }
}

extension TypedWorkload {
  /// A measurement of this workload.
  func measurement(_ benchmark: String, device: ComputeDevice, timing: Timing) -> Measurement {
    var line = Measurement(benchmark, problem: name, device: device, timing: timing)
    line.dtype = dtype
    return line
  }

  /// Evaluated tensors of random numbers on the device: between −1 and 1, or integers between −8 and 8.
  func randomTensors(_ shapes: [Shape], on device: ComputeDevice) throws -> [Tensor] {
    var key = RandomKey(seed: 1)
    let (bound, drawn) = dtype.isFloatingPoint ? (1.0, dtype) : (8.0, .float32)
    let tensors = shapes.map {
      Tensor.uniform($0, lower: -bound, upper: bound, key: &key, dtype: drawn, device: device).cast(to: dtype)
    }
    try eval(tensors)
    try device.synchronize()
    return tensors
  }
}

/// The maximum number of elements of a tensor: 4 TiB of `float32`.
let maximumElementCount = 1 << 40

/// The maximum number of multiplications of a problem. The number of operations is twice as large, and must also fit
/// into `Int`.
let maximumWork = 1 << 60

/// Whether all extents are positive and the tensor has at most `maximumElementCount` elements.
func isReasonable(_ extents: [Int]) -> Bool {
  var product = 1
  for extent in extents {
    guard extent > 0, extent <= maximumElementCount / product else { return false }
    product *= extent
  }
  return true
}
