import Glibc

/// What the environment says of logging and resources. None of it changes a result.
struct GPUOptions: Sendable {
  /// `APUS_DEBUG=1`: one line a launch on stderr.
  var logsLaunches = false
  /// `APUS_KEEP_KERNELS=DIR`: where the text of every program is written.
  var kernelDirectory: String?
  /// `APUS_KERNEL_CLASS=cpu|gpu`: the shapes of kernels, instead of those that fit the device's type.
  var kernelClass: KernelTarget.Class?
  /// Where built programs are kept; `nil` keeps none.
  var cacheDirectory: String?

  /// The options of this process.
  static var environment: GPUOptions {
    GPUOptions(
      logsLaunches: variable("APUS_DEBUG").map { $0 != "0" } ?? false,
      kernelDirectory: variable("APUS_KEEP_KERNELS"),
      kernelClass: variable("APUS_KERNEL_CLASS").flatMap(KernelTarget.Class.init(rawValue:)),
      cacheDirectory: defaultCacheDirectory)
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
