import Glibc

extension ContinuousClock {
  /// The seconds of a monotonic clock with an arbitrary origin.
  package static var seconds: Double {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) * 1e-9
  }
}
