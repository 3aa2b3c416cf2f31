import ApusDevice

/// The OpenCL devices of this machine.
public enum OpenCL {
  /// Returns the properties of every device of every platform; `devices()[n]` is `opencl:n`.
  /// - Throws: `DeviceError.unavailable` if there is no loader, no platform or no device; the reason names a package to
  ///   install.
  public static func devices() throws(DeviceError) -> [DeviceInfo] {
    try OpenCLEntry.all().map(\.info)
  }

  /// The name of a device or of a sub-device, which is one of several equal parts of a device's compute units.
  public struct Name: Hashable, Sendable {
    /// The index of the device.
    public var index: Int
    /// The index of the sub-device, and the count of sub-devices; `nil` for the whole device.
    public var part: (number: Int, count: Int)? { partNumber.map { ($0, partCount) } }
    private var partNumber: Int?
    private var partCount = 1

    /// Parses `opencl:N`, which names device `N`, or `opencl:N.P/C`, which names sub-device `P`, counted from 0, of the
    /// `C` equal sub-devices of device `N`. Returns `nil` for any other text.
    public init?(_ text: String) {
      guard text.hasPrefix("opencl:") else { return nil }
      let words = text.dropFirst(7).split(separator: ".", maxSplits: 1, omittingEmptySubsequences: false)
      guard let index = Int(words[0]), index >= 0 else { return nil }
      self.index = index
      guard words.count == 2 else { return }
      let numbers = words[1].split(separator: "/", omittingEmptySubsequences: false).map { Int($0) }
      guard numbers.count == 2, let number = numbers[0], let count = numbers[1], number >= 0, count > 0 else {
        return nil
      }
      (partNumber, partCount) = (number, count)
    }
  }

  /// Opens a device or sub-device, with the options that environment variables set.
  /// - Throws: `DeviceError.unavailable` when the device or sub-device does not exist or cannot be opened, or when an
  ///   environment variable has an invalid value.
  public static func open(_ name: Name) throws(DeviceError) -> any Device {
    try GPUOptions.checkEnvironment(for: "opencl:\(name.index)")
    return try open(name.index, part: name.part, options: GPUOptions.environment)
  }

  package static func open(
    _ index: Int, part: (number: Int, count: Int)? = nil, options: GPUOptions
  ) throws(DeviceError) -> any Device {
    let entries = try OpenCLEntry.all()
    guard entries.indices.contains(index) else {
      throw .unknownIndex(index, of: "OpenCL", prefix: "opencl", count: entries.count)
    }
    var entry = entries[index]
    if let part { entry = try entry.part(part.number, of: part.count) }
    return try GPUDevice(driver: OpenCLDriver(entry, options: options), options: options)
  }
}
