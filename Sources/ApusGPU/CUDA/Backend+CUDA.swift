import ApusDevice

extension Backend {
  /// The CUDA devices. `cuda` is the first device.
  package static let cuda = Backend(
    title: "CUDA", mayHaveGPUs: true, forms: ["cuda", "cuda:N"],
    identifier: { text in
      let name = text == "cuda" ? "cuda:0" : text
      return CUDA.index(name) == nil ? nil : name
    },
    open: { identifier throws(DeviceError) in
      guard let index = CUDA.index(identifier) else { fatalError("\(identifier) is not a CUDA device name") }
      return try CUDA.open(index)
    },
    devices: { () throws(DeviceError) in try CUDA.devices() })
}

/// The CUDA devices of this machine.
public enum CUDA {
  /// Returns the properties of every device; `devices()[n]` is `cuda:n`.
  /// - Throws: `DeviceError.unavailable` if the driver or NVRTC is missing or too old, or if there is no device; the
  ///   reason says what to install.
  public static func devices() throws(DeviceError) -> [DeviceInfo] { try CUDAEntry.all().map(\.info) }

  /// The index in a device name `cuda:N`; `nil` for any other text.
  static func index(_ text: String) -> Int? {
    guard text.hasPrefix("cuda:"), let index = Int(text.dropFirst(5)), index >= 0 else { return nil }
    return index
  }

  /// Opens a device, with the options that environment variables set.
  /// - Throws: `DeviceError.unavailable` when the device does not exist or cannot be opened, or when an environment
  ///   variable has an invalid value.
  public static func open(_ index: Int) throws(DeviceError) -> any Device {
    try GPUOptions.checkEnvironment(for: "cuda:\(index)")
    return try open(index, options: GPUOptions.environment)
  }

  /// - Parameter libraryFolder: a folder with the driver and NVRTC; `nil` for the libraries of this machine.
  package static func open(
    _ index: Int, options: GPUOptions, libraryFolder: String? = nil
  ) throws(DeviceError) -> any Device {
    let libraries: CUDALibraries
    if let libraryFolder {
      libraries = try CUDALibraries(CUDASearch(cudaPath: [libraryFolder]))
    } else {
      libraries = try .open()
    }
    let entries = try CUDAEntry.all(libraries)
    guard entries.indices.contains(index) else {
      throw .unknownIndex(index, of: "CUDA", prefix: "cuda", count: entries.count)
    }
    return try GPUDevice(driver: CUDADriver(entries[index]), options: options)
  }
}
