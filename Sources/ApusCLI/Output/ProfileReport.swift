import Apus
import ApusRuns
import ApusSystem
import Synchronization

/// Writes a profile to a file, and the slowest kernels to standard error.
final class ProfileReport: Sendable {
  /// The help text of `--profile`; `steps` says which training steps are profiled.
  static func help(_ steps: String) -> String {
    "write a trace of \(steps) to FILE, for ui.perfetto.dev, and a table of the slowest kernels to stderr"
  }

  private struct State {
    var limits: DeviceLimits?
    var isWritten = false
    var failure: TrainingError?
  }

  private let path: String
  private let state = Mutex(State())

  /// Creates a report for the file `path`. Throws if the file cannot be written.
  init(path: String) throws {
    self.path = path
    _ = try reportingFiles { () throws(FileError) in try AtomicFile(path: path) }
  }

  /// Measures the limits of the device: the rate of arithmetic and the bandwidth of memory.
  func measureLimits(of device: ComputeDevice) throws {
    let limits = try DeviceLimits.measured(on: device)
    state.withLock { $0.limits = limits }
  }

  func write(_ profile: Profile) {
    var profile = profile
    state.withLock { state in
      profile.limits = state.limits
      state.isWritten = true
      do throws(TrainingError) {
        try profile.write(to: path)
      } catch {
        state.failure = error
      }
    }
    Diagnostics.write(summary(profile))
  }

  /// Throws if the profile could not be written, and warns if the run was too short for a profile.
  func check() throws {
    let (isWritten, failure) = state.withLock { ($0.isWritten, $0.failure) }
    if let failure { throw failure }
    if !isWritten { Diagnostics.write("\(path): no profile: the run ended before its third step") }
  }

  private func summary(_ profile: Profile) -> String {
    var table = TextTable("MS", "SHARE", "CALLS", "GFLOP/S", "GB/S", "OF LIMIT", "WHAT")
    let total = profile.seconds
    for kernel in profile.kernels.prefix(16) {
      let share = profile.share(seconds: kernel.seconds, flops: kernel.flops, bytes: kernel.bytes)
      table.append(
        (kernel.seconds * 1e3).text(places: 2), (kernel.seconds / total).percent(places: 1),
        String(kernel.count), rate(kernel.flops, kernel.seconds), rate(kernel.bytes, kernel.seconds),
        share?.percent(places: 0) ?? "", kernel.detail)
    }
    let limits = profile.limits.map {
      "; limits \($0.gflops.text(places: 0)) GFLOP/s, \($0.gbytesPerSecond.text(places: 1)) GB/s"
    }
    let count = profile.records.count
    return """
      profile of \(profile.device): \(count) kernel launches in \((total * 1e3).text(places: 1)) ms\(limits ?? ""), in \(path)
      \(table.text)
      """
  }

  private func rate(_ work: Double, _ seconds: Double) -> String {
    work > 0 && seconds > 0 ? (work / seconds * 1e-9).text(places: 1) : ""
  }
}
