import ApusNN
import ApusSystem
import ApusTensor

/// The measured limits of a device, against which kernels are compared.
public struct DeviceLimits: Hashable, Sendable {
  /// The rate of a large matrix product, in 10⁹ `float32` multiplications and additions per second.
  public var gflops: Double
  /// The rate at which a large element-wise operation reads and writes memory, in 10⁹ bytes per second.
  public var gbytesPerSecond: Double

  /// Creates limits from known values.
  public init(gflops: Double, gbytesPerSecond: Double) {
    self.gflops = gflops
    self.gbytesPerSecond = gbytesPerSecond
  }

  /// A lower bound on the seconds for an amount of work.
  public func leastSeconds(flops: Double, bytes: Double) -> Double {
    max(flops / gflops, bytes / gbytesPerSecond) * 1e-9
  }

  /// Measures matrix products of growing size until one takes more than 3 ms, and then negations in the same way. Each
  /// size takes 0.3 s or more.
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

  /// The throughput in 10⁹ units of work per second. It is measured at the first size whose fastest run takes more than
  /// 3 ms, or at the last size if none does. Each size runs at least 6 times and for at least 0.3 s, since the speed of
  /// a machine fluctuates; the fastest run counts.
  private static func rate(
    on device: ComputeDevice, sizes: [Int], work: (Double) -> Double, _ make: (Int) -> () -> Tensor
  ) throws -> Double {
    var rate = 0.0
    // After the first size, sizes whose matrix takes more than a quarter of the largest allocation are skipped.
    for size in sizes where rate == 0 || 4 * size * size <= device.info.maximumAllocationByteCount / 4 {
      var best = Double.infinity
      try withDevice(device) {
        let body = make(size)
        let began = ContinuousClock.seconds
        var runs = 0
        while runs < 6 || ContinuousClock.seconds - began < 0.3 {
          runs += 1
          let start = ContinuousClock.seconds
          try eval(body())
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
