import Glibc

extension ContinuousClock {
  /// The seconds of a monotonic clock with an arbitrary origin.
  package static var seconds: Double { readSeconds(CLOCK_MONOTONIC) }
}

/// The seconds of a clock of the system, such as `CLOCK_REALTIME`.
package func readSeconds(_ clock: clockid_t) -> Double {
  var time = timespec()
  clock_gettime(clock, &time)
  return Double(time.tv_sec) + Double(time.tv_nsec) * 1e-9
}
