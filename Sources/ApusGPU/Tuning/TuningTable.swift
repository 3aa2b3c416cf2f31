import ApusDevice

/// Which shapes of kernels were found to be the fastest: names by problem, see ``KernelChoice``.
///
/// The text has a line `problem = name` for each; empty lines and those that begin with `#` say nothing.
struct TuningTable: Hashable, Sendable {
  private var names: [String: String] = [:]

  init() {}

  /// The lines that can be understood; others are left out.
  init(_ text: String) {
    for line in text.split(whereSeparator: \.isNewline) where !line.hasPrefix("#") {
      let parts = line.split(separator: " = ", maxSplits: 1)
      if parts.count == 2 { names[String(parts[0])] = String(parts[1]) }
    }
  }

  subscript(problem: String) -> String? {
    get { names[problem] }
    set { names[problem] = newValue }
  }

  /// A line for each problem, in the order of their names.
  var text: String {
    names.sorted { $0.key < $1.key }.map { "\($0.key) = \($0.value)\n" }.joined()
  }

  /// The choices of `other`, and those of this table where it has none.
  func overridden(by other: TuningTable) -> TuningTable {
    var table = self
    table.names.merge(other.names) { $1 }
    return table
  }
}

// MARK: - Tables that come with the engine

extension TuningTable {
  /// What was measured on devices like this one, and ships with the engine.
  static func shipped(for target: KernelTarget) -> TuningTable {
    guard let name = target.tuningFile else { return TuningTable() }
    return TuningTable(KernelPrelude.file("tuning/\(name).txt"))
  }
}

// MARK: - Tables of this machine

extension TuningTable {
  /// Changed whenever kernels change so that another shape may be the fastest.
  private static let version = "tuning 2"

  private static func key(_ fingerprint: [String], _ target: KernelTarget) -> String {
    ProgramStore.key(of: [version, target.kernelClass.rawValue, String(target.computeUnits)] + fingerprint)
  }

  /// What `apus tune` stored for a device.
  static func stored(in store: ProgramStore?, fingerprint: [String], target: KernelTarget) -> TuningTable {
    let bytes = store?.read(key: key(fingerprint, target))
    return bytes.map { TuningTable(String(decoding: $0, as: UTF8.self)) } ?? TuningTable()
  }

  func write(to store: ProgramStore?, fingerprint: [String], target: KernelTarget) {
    store?.write(Array(text.utf8), key: Self.key(fingerprint, target))
  }
}
