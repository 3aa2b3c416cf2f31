import Apus
import ApusFiles
import Glibc

/// The directory of a run: `config.json`, `metrics.jsonl`, `checkpoints/`, `tensorboard/`.
struct RunDirectory {
  let path: String
  /// Whether this process made it.
  private(set) var isNew = false

  private var configurationPath: String { "\(path)/config.json" }

  /// The directory that is named, or else the first of `runs/<model>-1`, `runs/<model>-2`, … that does not exist.
  /// It is created.
  /// - Throws: when there is a run in the one that is named: it is not overwritten.
  static func creating(_ path: String?, for model: String) throws -> RunDirectory {
    guard let path else { return try next(for: model) }
    let directory = RunDirectory(path: path, isNew: !FileSystem.exists(path))
    guard try CheckpointStore(run: path).names().isEmpty else { throw TrainingError.occupied(path: path) }
    try reportingFiles { () throws(FileError) in try FileSystem.createDirectory(path) }
    return directory
  }

  private static func next(for model: String) throws -> RunDirectory {
    try reportingFiles { () throws(FileError) in try FileSystem.createDirectory("runs") }
    // A name such as ../x is not one to make a path of.
    let name = String(model.map { $0.isLetter || $0.isNumber || "-_.".contains($0) ? $0 : "-" })
    for number in 1... {
      let path = "runs/\(name)-\(number)"
      if mkdir(path, 0o777) == 0 { return RunDirectory(path: path, isNew: true) }
      guard errno == EEXIST else {
        throw DataError.inputOutput(
          path: path, operation: "create the directory", reason: String(cString: strerror(errno)))
      }
    }
    fatalError("there are more runs than numbers")
  }

  /// Keeps the settings.
  func write(_ settings: RunSettings) throws(DataError) {
    let text = JSON.object(settings.json).text(indented: true) + "\n"
    try reportingFiles { () throws(FileError) in try AtomicFile.write(Array(text.utf8), to: configurationPath) }
  }

  /// Removes a directory that was made for a run that ended before its first step: there is nothing to go on from.
  func removeIfUnused() {
    guard isNew, let names = try? CheckpointStore(run: path).names(),
      names.allSatisfy({ Int($0.drop { !$0.isNumber }) == 0 }),
      let entries = try? FileSystem.entries(of: path),
      Set(entries).isSubset(of: ["config.json", "metrics.jsonl", "checkpoints", "tensorboard"])
    else { return }
    // If it cannot be removed, it does no harm.
    try? FileSystem.remove(path)
  }

  /// The settings that a run was started with, if it came that far.
  func configuration() throws -> Configuration? {
    FileSystem.exists(configurationPath) ? try Configuration(file: configurationPath) : nil
  }
}
