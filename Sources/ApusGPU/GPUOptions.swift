import ApusDevice
import Glibc

/// What the environment says of logging, resources and kernels. All but `kernelClass` leaves results as they are;
/// kernels of another class may round them otherwise in the last bit.
package struct GPUOptions: Sendable {
  /// `APUS_DEBUG=1`: one line a launch on stderr.
  package var logsLaunches = false
  /// `APUS_KEEP_KERNELS=DIR`: where the text of every program is written.
  package var kernelDirectory: String?
  /// `APUS_KERNEL_CLASS=cpu|gpu`: the shapes of kernels, instead of those that fit the device's type.
  package var kernelClass: KernelTarget.Class?
  /// Where built programs are kept; `nil` keeps none.
  package var cacheDirectory: String?
  /// Whether memory that was never used is filled with a pattern, for tests.
  package var fillsNewMemory = false

  package init(
    logsLaunches: Bool = false, kernelDirectory: String? = nil,
    kernelClass: KernelTarget.Class? = nil, cacheDirectory: String? = nil
  ) {
    self.logsLaunches = logsLaunches
    self.kernelDirectory = kernelDirectory
    self.kernelClass = kernelClass
    self.cacheDirectory = cacheDirectory
  }

  /// The options of this process.
  package static var environment: GPUOptions {
    GPUOptions(
      logsLaunches: variable("APUS_DEBUG").map { $0 != "0" } ?? false,
      kernelDirectory: variable("APUS_KEEP_KERNELS"),
      kernelClass: variable("APUS_KERNEL_CLASS").flatMap(KernelTarget.Class.init(rawValue:)),
      cacheDirectory: defaultCacheDirectory)
  }

  /// Refuses what the environment cannot mean.
  /// - Parameter device: what is being opened, for the error.
  static func checkEnvironment(for device: String) throws(DeviceError) {
    if let flaw = CacheLimit.environmentFlaw { throw .unavailable(device: device, reason: flaw) }
    guard let name = variable("APUS_KERNEL_CLASS"), KernelTarget.Class(rawValue: name) == nil else { return }
    let known = KernelTarget.Class.allCases.map(\.rawValue).joined(separator: " or ")
    throw .unavailable(device: device, reason: "APUS_KERNEL_CLASS is '\(name)'; it takes \(known)")
  }

  /// `$XDG_CACHE_HOME/apus`, else `~/.cache/apus`.
  private static var defaultCacheDirectory: String? {
    if let base = variable("XDG_CACHE_HOME"), base.hasPrefix("/") { return base + "/apus" }
    return variable("HOME").map { $0 + "/.cache/apus" }
  }

  private static func variable(_ name: String) -> String? {
    guard let value = getenv(name) else { return nil }
    let text = String(cString: value)
    return text.isEmpty ? nil : text
  }
}
