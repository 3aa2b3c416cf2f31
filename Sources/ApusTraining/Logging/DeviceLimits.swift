import ApusNN
import ApusTensor

/// What a device is capable of, as measured on it: the limits that kernels are judged by.
public struct DeviceLimits: Hashable, Sendable {
  /// 10⁹ multiplications and additions of `float32` a second, of a large matrix product.
  public var gflops: Double
  /// 10⁹ bytes that a large copy reads and writes in a second.
  public var gbytesPerSecond: Double

  /// Limits that are known.
  public init(gflops: Double, gbytesPerSecond: Double) {
    self.gflops = gflops
    self.gbytesPerSecond = gbytesPerSecond
  }

  /// The seconds that so much work takes at least.
  public func leastSeconds(flops: Double, bytes: Double) -> Double {
    max(flops / gflops, bytes / gbytesPerSecond) * 1e-9
  }

  /// Measures a product of matrices and a copy, larger until they take a few milliseconds; that takes a second or so.
  public static func measured(on device: ComputeDevice) throws -> DeviceLimits {
    DeviceLimits(
      gflops: try rate(on: device, sizes: [1024, 2048, 4096, 8192], work: { 2 * $0 * $0 * $0 }) { size in
        let (a, b) = (Tensor.ones([size, size]), Tensor.ones([size, size]))
        return { a.matmul(b) }
      },
      gbytesPerSecond: try rate(on: device, sizes: [4096, 8192, 16384], work: { 8 * $0 * $0 }) { size in
        let a = Tensor.ones([size, size])
        return { -a }
      })
  }

  /// 10⁹ of the best of some runs a second, at the first size that takes long enough. They take a while together:
  /// machines change their speed from one moment to the next.
  private static func rate(
    on device: ComputeDevice, sizes: [Int], work: (Double) -> Double, _ make: (Int) -> () -> Tensor
  ) throws -> Double {
    var rate = 0.0
    // What does not fit is not measured.
    for size in sizes where rate == 0 || 4 * size * size <= device.info.maximumAllocationByteCount / 4 {
      var best = Double.infinity
      try withDevice(device) {
        let body = make(size)
        let began = ContinuousClock.seconds
        var runs = 0
        while runs < 6 || ContinuousClock.seconds - began < 0.3 {
          runs += 1
          let start = ContinuousClock.seconds
          try eval([body()])
          try device.synchronize()
          best = min(best, ContinuousClock.seconds - start)
        }
      }
      device.releaseUnusedMemory()
      rate = work(Double(size)) / best * 1e-9
      if best > 0.003 { break }
    }
    return rate
  }
}
