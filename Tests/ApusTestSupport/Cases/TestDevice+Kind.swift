import Glibc

extension TestDevice {
  /// A kind of device that `APUS_TEST_DEVICES` can name.
  public enum Kind: String, CaseIterable, Sendable { case cpu, opencl, cuda }

  /// The kinds of devices that the tests use: those that `APUS_TEST_DEVICES` names, separated by commas, or all kinds.
  public static let kinds: [Kind] = {
    guard let names = getenv("APUS_TEST_DEVICES") else { return Kind.allCases }
    return String(cString: names).split(separator: ",", omittingEmptySubsequences: false).map { name in
      guard let kind = Kind(rawValue: String(name)) else {
        fatalError("APUS_TEST_DEVICES contains \"\(name)\"; it must be a list of cpu, opencl and cuda")
      }
      return kind
    }
  }()

  /// Whether `APUS_TEST_DEVICES` is set. Each kind of device that it names must then exist. `cuda` is then a GPU of
  /// this machine, or the device of the libraries in `APUS_CUDA_PATH`.
  public static let areKindsChosen = getenv("APUS_TEST_DEVICES") != nil
}
