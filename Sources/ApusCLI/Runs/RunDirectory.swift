import Apus
import ApusFiles
import Glibc

/// The directory of a run: `config.json`, `metrics.jsonl`, `checkpoints/`, `tensorboard/`, `plots/`, `report.html`.
///
/// It may come from anywhere, so that nothing in it is trusted; see `Folder`.
struct RunDirectory {
  let folder: Folder
  /// Held by a process that trains; readers need none.
  private(set) var locked: RunFolder?
  /// Whether this process made it.
  private(set) var isNew = false
  /// Whether this process made the directory around it too.
  private var hasNewParent = false

  var path: String { folder.path }

  private static let configuration = "config.json"
  private static let metrics = "metrics.jsonl"

  /// Opens a directory to read what a run has written: the run may go on at the same time.
  init(reading path: String) throws(DataError) {
    folder = try reportingFiles { () throws(FileError) in try Folder(path: path) }
  }

  private init(_ locked: RunFolder, isNew: Bool) { (folder, self.locked, self.isNew) = (locked.folder, locked, isNew) }

  /// Locks an open directory to go on with its run.
  /// - Throws: when another process does that.
  init(locking folder: Folder) throws(TrainingError) { self.init(try RunFolder(locking: folder), isNew: false) }

  /// The directory that is named, or else the first of `runs/<model>-1`, `runs/<model>-2`, … that does not exist.
  /// It is created, and locked.
  /// - Throws: when there is a run in the one that is named: it is not overwritten.
  static func creating(_ path: String?, for model: String) throws -> RunDirectory {
    guard let path else { return try next(for: model) }
    let isNew = !FileSystem.exists(path)
    let directory = RunDirectory(try RunFolder(creating: path), isNew: isNew)
    guard try directory.checkpoints.names().isEmpty else { throw TrainingError.occupied(path: path) }
    return directory
  }

  private static func next(for model: String) throws -> RunDirectory {
    let hasRuns = FileSystem.exists("runs")
    try reportingFiles { () throws(FileError) in try FileSystem.createDirectory("runs") }
    // A name such as ../x is not one to make a path of.
    let name = String(model.map { $0.isLetter || $0.isNumber || "-_.".contains($0) ? $0 : "-" })
    for number in 1... {
      let path = "runs/\(name)-\(number)"
      if mkdir(path, 0o777) == 0 {
        var directory = RunDirectory(try RunFolder(creating: path), isNew: true)
        directory.hasNewParent = !hasRuns
        return directory
      }
      guard errno == EEXIST else {
        throw DataError.inputOutput(
          path: path, operation: "create the directory", reason: String(cString: strerror(errno)))
      }
    }
    fatalError("unreachable: the numbers do not end")
  }

  private var checkpoints: CheckpointStore { CheckpointStore(folder) }

  /// Keeps the settings.
  func write(_ settings: RunSettings) throws(DataError) {
    let text = JSON.object(settings.json).text(indented: true) + "\n"
    try reportingFiles { () throws(FileError) in
      try AtomicFile.write(Array(text.utf8), in: folder, name: RunDirectory.configuration)
    }
  }

  /// Removes a directory that was made for a run that ended before its first step: there is nothing to go on from.
  func removeIfUnused() {
    let own: Set<String> = [
      RunDirectory.configuration, RunDirectory.metrics, "checkpoints", "tensorboard", FolderLock.name,
    ]
    guard isNew, let names = try? checkpoints.names(), names.allSatisfy({ Int($0.drop { !$0.isNumber }) == 0 }),
      let entries = try? folder.entries(), Set(entries).isSubset(of: own)
    else { return }
    // If it cannot be removed, it does no harm.
    try? folder.removeAll()
    if hasNewParent { rmdir("runs") }
  }

  /// The settings that a run was started with, if it came that far.
  func configuration() throws -> Configuration? {
    guard let bytes = try contents(of: RunDirectory.configuration, { try $0.contents(limit: Configuration.limit) })
    else {
      return nil
    }
    return try Configuration(origin: folder.path(of: RunDirectory.configuration), text: bytes)
  }

  /// What the run has written of its course; `nil` where it has written nothing.
  func readMetrics() throws -> RunMetrics? { try contents(of: RunDirectory.metrics) { try RunMetrics($0) } }

  private func contents<R>(of name: String, _ read: (FileDescriptor) throws -> R) throws -> R? {
    do {
      guard try folder.kind(of: name) != nil else { return nil }
      return try read(folder.file(reading: name))
    } catch let error as FileError {
      throw DataError(error)
    }
  }
}
