import ApusDevice
import ApusSystem
import CCUDA
import Glibc

/// The CUDA driver and NVRTC, the compiler for CUDA C++. Both are opened when CUDA devices are first listed or opened.
struct CUDALibraries: @unchecked Sendable {
  let driver: CCUDADriver
  let compiler: CCUDACompiler
  /// The newest CUDA version that the driver supports, and the version of NVRTC, as 1000 × major + 10 × minor.
  let driverVersion, compilerVersion: Int
  /// The path or name with which NVRTC's shared library was opened.
  let compilerPath: String

  /// The oldest version of CUDA that `CUDADriver` supports.
  static let oldestVersion = 12000

  private static let opened = Result { () throws(DeviceError) in try CUDALibraries(CUDASearch.environment) }

  /// The libraries of this process, or the error that says what is missing.
  static func open() throws(DeviceError) -> CUDALibraries { try opened.get() }

  /// Opens the libraries that `search` finds.
  init(_ search: CUDASearch) throws(DeviceError) {
    driver = try Self.driver(search)
    driverVersion = try Self.version(of: driver)
    (compiler, compilerVersion, compilerPath) = try Self.compiler(search, newest: driverVersion)
  }

  /// The compute capabilities for which NVRTC compiles, as 10 × major + minor.
  func compiledCapabilities() -> [Int] {
    var count: Int32 = 0
    guard compiler.nvrtcGetNumSupportedArchs(&count) == NVRTC_SUCCESS, count > 0 else { return [] }
    var capabilities = [Int32](repeating: 0, count: Int(count))
    guard compiler.nvrtcGetSupportedArchs(&capabilities) == NVRTC_SUCCESS else { return [] }
    return capabilities.map { Int($0) }
  }

  static func text(ofVersion version: Int) -> String { "\(version / 1000).\(version % 1000 / 10)" }

  private static func unavailable(_ reason: String) -> DeviceError { .unavailable(device: "cuda", reason: reason) }

  private static func driver(_ search: CUDASearch) throws(DeviceError) -> CCUDADriver {
    var reasons: [String] = []
    for path in try search.driverPaths() {
      let table = UnsafeMutablePointer<CCUDADriver>.allocate(capacity: 1)
      defer { table.deallocate() }
      guard let reason = ccuda_open_driver(path, table) else { return table.pointee }
      reasons.append(String(cString: reason))
      free(reason)
    }
    throw unavailable(
      "the CUDA driver was not found (\(reasons.joined(separator: "; "))); install NVIDIA's driver, version 525 or "
        + "later, or name its folder in APUS_CUDA_PATH")
  }

  private static func version(of driver: CCUDADriver) throws(DeviceError) -> Int {
    let status = CUDAStatus(driver.cuInit(0), driver)
    guard status.isSuccess else { throw unavailable("the CUDA driver could not be initialized: \(status)") }
    var version: Int32 = 0
    guard driver.cuDriverGetVersion(&version) == CUDA_SUCCESS, version >= oldestVersion else {
      throw unavailable(
        "the driver supports CUDA \(text(ofVersion: Int(version))); CUDA \(text(ofVersion: oldestVersion)) is needed: "
          + "install NVIDIA's driver, version 525 or later")
    }
    return Int(version)
  }

  /// Opens the first NVRTC on the search path whose major version the driver supports.
  private static func compiler(
    _ search: CUDASearch, newest: Int
  ) throws(DeviceError) -> (CCUDACompiler, version: Int, path: String) {
    var reasons: [String] = []
    for path in try search.compilerPaths(major: newest / 1000) {
      let table = UnsafeMutablePointer<CCUDACompiler>.allocate(capacity: 1)
      defer { table.deallocate() }
      if let reason = ccuda_open_compiler(path, table) {
        reasons.append(String(cString: reason))
        free(reason)
        continue
      }
      var (major, minor): (Int32, Int32) = (0, 0)
      guard table.pointee.nvrtcVersion(&major, &minor) == NVRTC_SUCCESS else {
        reasons.append("\(path) does not report its version")
        continue
      }
      let version = 1000 * Int(major) + 10 * Int(minor)
      if version >= oldestVersion && version / 1000 <= newest / 1000 { return (table.pointee, version, path) }
      reasons.append("\(path) is for CUDA \(text(ofVersion: version))")
    }
    throw unavailable(
      "the driver supports CUDA \(text(ofVersion: newest)), but no NVRTC for it was found "
        + "(\(reasons.joined(separator: "; "))); install one, for example: pip install nvidia-cuda-nvrtc"
        + (newest < 13000 ? "-cu12" : "") + "; or name its folder in APUS_CUDA_PATH")
  }
}

/// Where the CUDA libraries are searched: in the folders of `APUS_CUDA_PATH`, then by the dynamic loader. Then the
/// driver is searched in the folder of WSL, and NVRTC in the folders of the CUDA toolkit and of NVIDIA's Python
/// packages. A relative path is an error in `APUS_CUDA_PATH`, and is ignored in `PATH`.
struct CUDASearch: Sendable {
  /// The folders of `APUS_CUDA_PATH`.
  var cudaPath: [String] = []
  /// The folders of `PATH`, in which `python3` is searched.
  var programPath: [String] = []
  /// The home folder of the user, `HOME`.
  var home: String?

  /// The search that the environment variables of this process describe.
  static var environment: CUDASearch {
    func folders(_ name: String) -> [String] {
      Environment[name]?.split(separator: ":", omittingEmptySubsequences: false).map(String.init) ?? []
    }
    return CUDASearch(
      cudaPath: folders("APUS_CUDA_PATH"), programPath: folders("PATH"), home: Environment["HOME"])
  }

  /// The files to try as driver, in order.
  func driverPaths() throws(DeviceError) -> [String] {
    try checkedPath().map { "\($0)/libcuda.so.1" } + ["libcuda.so.1", "/usr/lib/wsl/lib/libcuda.so.1"]
  }

  /// The files to try as NVRTC, in order: newer major versions first in each place.
  /// - Parameter major: the newest major version that the driver supports.
  func compilerPaths(major: Int) throws(DeviceError) -> [String] {
    let names = stride(from: major, through: 12, by: -1).map { "libnvrtc.so.\($0)" }
    var paths: [String] = []
    for folder in try checkedPath() { paths += names.map { "\(folder)/\($0)" } }
    paths += names
    // The CUDA toolkit and the Python packages may not be installed, so only their existing folders are searched.
    var installed = ["/usr/local/cuda/lib64"]
    for folder in packageFolders {
      installed += stride(from: major, through: 12, by: -1).map { "\(folder)/nvidia/cu\($0)/lib" }
      installed.append("\(folder)/nvidia/cuda_nvrtc/lib")
    }
    for folder in installed where FileSystem.exists(folder) { paths += names.map { "\(folder)/\($0)" } }
    return paths
  }

  private func checkedPath() throws(DeviceError) -> [String] {
    for folder in cudaPath where !folder.hasPrefix("/") {
      throw .unavailable(
        device: "cuda", reason: "APUS_CUDA_PATH contains \"\(folder)\"; it must be a list of absolute paths")
    }
    return cudaPath
  }

  /// The folders in which the first `python3` in `PATH` looks for packages.
  var packageFolders: [String] {
    let programs: [String] = programPath.filter { $0.hasPrefix("/") }.map { "\($0)/python3" }
    guard let program = programs.first(where: { access($0, X_OK) == 0 }) else { return [] }
    // In a virtual environment, the program is a symbolic link. Python uses the packages of the environment first, then
    // those of the installation that the link leads to.
    var prefixes = [program]
    if let real = realpath(program, nil) {
      prefixes.append(String(cString: real))
      free(real)
    }
    prefixes = prefixes.map { "/\($0.split(separator: "/").dropLast(2).joined(separator: "/"))" }
    prefixes += ["/usr/local"] + (home.map { ["\($0)/.local"] } ?? [])
    var folders: [String] = []
    for prefix in prefixes {
      let versions = (try? FileSystem.entries(of: "\(prefix)/lib"))?.filter { $0.hasPrefix("python3") } ?? []
      for version in versions {
        folders += ["site-packages", "dist-packages"].map { "\(prefix)/lib/\(version)/\($0)" }
      }
    }
    return folders
  }
}
