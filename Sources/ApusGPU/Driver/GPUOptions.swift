import ApusDevice
import ApusSystem

/// The options for logging, resources and kernels. `kernelClass` may change the last bit of a result. If `apus tune`
/// stored choices of kernels in `cacheDirectory`, these may change the sign of a zero. The other options do not affect
/// results.
package struct GPUOptions: Sendable {
  /// `APUS_DEBUG=1`: logs one line per launch to stderr.
  package var logsLaunches = false
  /// `APUS_KEEP_KERNELS=DIR`: the folder to which the source of every program is written.
  package var kernelDirectory: String?
  /// `APUS_KERNEL_CLASS=cpu|gpu`: the kernel class, instead of the class that fits the device's type.
  package var kernelClass: KernelTarget.Class?
  /// The folder of the program cache; `nil` disables the cache.
  package var cacheDirectory: String?
  /// Whether new memory is filled with a pattern, for tests.
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

  /// The options that the environment variables of this process set.
  package static var environment: GPUOptions {
    GPUOptions(
      logsLaunches: Environment.logsSteps,
      kernelDirectory: Environment["APUS_KEEP_KERNELS"],
      kernelClass: Environment["APUS_KERNEL_CLASS"].flatMap(KernelTarget.Class.init(rawValue:)),
      cacheDirectory: defaultCacheDirectory)
  }

  /// Throws if an environment variable has an invalid value.
  /// - Parameter device: the name of the device for the error message.
  static func checkEnvironment(for device: String) throws(DeviceError) {
    if let reason = CacheLimit.environmentError { throw .unavailable(device: device, reason: reason) }
    guard let name = Environment["APUS_KERNEL_CLASS"], KernelTarget.Class(rawValue: name) == nil else { return }
    let known = KernelTarget.Class.allCases.map(\.rawValue).joined(separator: " or ")
    throw .unavailable(device: device, reason: "APUS_KERNEL_CLASS is \"\(name)\"; it must be \(known)")
  }

  /// `$XDG_CACHE_HOME/apus`, else `~/.cache/apus`.
  private static var defaultCacheDirectory: String? {
    if let base = Environment["XDG_CACHE_HOME"], base.hasPrefix("/") { return base + "/apus" }
    return Environment["HOME"].map { $0 + "/.cache/apus" }
  }
}
