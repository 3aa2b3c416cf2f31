import ApusSystem
import ApusDevice

/// For each problem, the name of the kernel shape (variant) that a measurement selected as the fastest. A problem is a
/// kernel family with element types and classes of sizes; see ``KernelChoice``.
///
/// The text has one line `problem = name` per problem; empty lines and lines that begin with `#` are ignored.
struct TuningTable: Hashable, Sendable {
  private var names: [String: String] = [:]

  init() {}

  /// Parses a table; malformed lines are ignored.
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

  /// One line per problem, sorted by problem.
  var text: String {
    names.sortedArray { $0.key < $1.key }.map { "\($0.key) = \($0.value)\n" }.joined()
  }

  /// Returns the choices of `other`, and the choices of this table for problems that `other` lacks.
  func overridden(by other: TuningTable) -> TuningTable {
    var table = self
    table.names.merge(other.names) { $1 }
    return table
  }
}

// MARK: - Tables that ship with Apus

extension TuningTable {
  /// Returns the table that ships with Apus for this kind of device; an empty table if there is none.
  static func shipped(for target: KernelTarget) -> TuningTable {
    guard let name = target.tuningFile else { return TuningTable() }
    return TuningTable(KernelPrelude.file("tuning/\(name).txt"))
  }
}

// MARK: - Tables of this machine

extension TuningTable {
  /// Must change whenever a change of kernels may make another kernel shape the fastest.
  private static let version = "tuning 2"

  private static func key(_ target: KernelTarget) -> String {
    ProgramStore.key(of: [version, target.kernelClass.rawValue, String(target.computeUnits)] + target.fingerprint)
  }

  /// Returns the table that `apus tune` stored for a device.
  static func stored(in store: ProgramStore?, target: KernelTarget) -> TuningTable {
    let bytes = store?.read(key: key(target))
    return bytes.map { TuningTable(String(decoding: $0, as: UTF8.self)) } ?? TuningTable()
  }

  func write(to store: ProgramStore?, target: KernelTarget) {
    store?.write(Array(text.utf8), key: Self.key(target))
  }
}
