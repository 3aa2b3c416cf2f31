import Foundation

/// A run folder as an attacker may have prepared it: a complete run with one change.
public struct HostileFolder: Sendable, CustomStringConvertible {
  /// The change.
  public let description: String
  /// The commands that have to refuse the folder. Other commands may refuse it or succeed.
  public let refusals: Set<Use>
  let change: @Sendable (_ run: URL, _ victims: Victims) throws -> Void

  /// A use of a run folder.
  public enum Use: Sendable, CaseIterable {
    case resuming, evaluating, plotting
  }

  /// Copies a complete run to a path, and changes the copy.
  public func make(of run: String, at path: String, victims: Victims) throws {
    try FileManager.default.copyItem(atPath: run, toPath: path)
    try change(URL(filePath: path), victims)
  }

  /// Every hostile folder of the tests, each to be made from a copy of the run.
  /// - Parameter run: the path of a complete run with one checkpoint and all files and folders of `RunLayout`.
  public static func all(of run: String) throws -> [HostileFolder] {
    let layout = try RunLayout(of: run)
    return replacements(layout) + additions(layout) + names(layout) + digests(layout) + numbers(layout)
      + settings(layout) + formats(layout) + metrics(layout) + damages(layout)
  }
}

/// The paths of a run's files and folders, relative to the run folder.
struct RunLayout: Sendable {
  let checkpoint: String
  let events: String

  var state: String { "\(checkpoint)/state.json" }

  /// Each file, with the commands that read it or write to it.
  var files: [(path: String, uses: Set<HostileFolder.Use>)] {
    [
      ("config.json", [.resuming, .plotting]), ("metrics.jsonl", [.resuming, .plotting]), (".lock", [.resuming]),
      ("report.html", [.plotting]), ("plots/loss.svg", [.plotting]),
      ("\(checkpoint)/state.json", [.resuming, .evaluating]),
      ("\(checkpoint)/weights.safetensors", [.resuming, .evaluating]),
      ("\(checkpoint)/optimizer.safetensors", [.resuming, .evaluating]),
    ]
  }

  var folders: [(path: String, uses: Set<HostileFolder.Use>)] {
    [
      ("checkpoints", [.resuming, .evaluating]), (checkpoint, [.resuming, .evaluating]), ("tensorboard", [.resuming]),
      ("plots", [.plotting]),
    ]
  }

  init(of run: String) throws {
    let names = try FileManager.default.contentsOfDirectory(atPath: "\(run)/checkpoints")
    checkpoint = "checkpoints/\(names[0])"
    events = try FileManager.default.contentsOfDirectory(atPath: "\(run)/tensorboard")[0]
  }
}

/// Files and folders outside of the run that must not change.
public final class Victims: Sendable {
  let root: URL
  var file: URL { root.appending(path: "file") }
  /// A folder that looks like the folder of checkpoints and like a checkpoint.
  var folder: URL { root.appending(path: "folder") }
  /// A path at which nothing exists and nothing may be created.
  var nothing: URL { root.appending(path: "nothing") }

  /// - Parameter path: an empty folder.
  public init(in path: String) throws {
    root = URL(filePath: path)
    for name in ["folder", "folder/step-000000001", "folder/step-000000009", "folder/.step-000000003.new"] {
      try FileManager.default.createDirectory(at: root.appending(path: name), withIntermediateDirectories: true)
      try Data("precious\n".utf8).write(to: root.appending(path: "\(name)/state.json"))
    }
    try Data("precious\n".utf8).write(to: file)
    try Data("<svg/>".utf8).write(to: folder.appending(path: "loss.svg"))
  }

  /// The names, contents, permissions and times of all files and folders.
  public func snapshot() throws -> [String] {
    let paths = try FileManager.default.subpathsOfDirectory(atPath: root.path).sorted()
    return try paths.map { path in
      let url = root.appending(path: path)
      let attributes = try FileManager.default.attributesOfItem(atPath: url.path)
      let isFile = attributes[.type] as? FileAttributeType == .typeRegular
      let text = isFile ? try String(decoding: Data(contentsOf: url), as: UTF8.self) : ""
      return "\(path) \(attributes[.posixPermissions]!) \(attributes[.modificationDate]!) \(text)"
    }
  }
}
