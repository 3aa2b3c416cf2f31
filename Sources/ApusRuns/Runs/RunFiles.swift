import Apus
import ApusSystem
import Glibc

/// The folder of a run: `config.json`, `metrics.jsonl`, `checkpoints/`, `tensorboard/`, `plots/`, `report.html`.
///
/// The folder may come from anywhere, so its contents are not trusted; see `Folder`.
package struct RunFiles {
  package let folder: Folder
  /// The folder with its lock if this process trains; `nil` if it only reads.
  private(set) var locked: RunFolder?
  /// Whether this process created the folder.
  package private(set) var isNew = false
  /// Whether this process also created the parent folder `runs`.
  private var hasNewParent = false

  package var path: String { folder.path }

  private static let configuration = "config.json"
  private static let metrics = "metrics.jsonl"
  private static let checkpoints = "checkpoints"

  /// Throws if `path` is not the folder of a run or of a checkpoint. All commands give the same message. If the folder
  /// contains runs, the message names one of them.
  package static func check(_ path: String) throws {
    func refusal(_ reason: String) -> DataError {
      .inputOutput(path: path, operation: "read a run", reason: reason)
    }
    guard FileSystem.isDirectory(path) else {
      throw refusal(
        FileSystem.exists(path) ? "it is a file, not the folder of a run or checkpoint" : "it does not exist")
    }
    let folder = try RunFiles(reading: path).folder
    let (isRun, entries) = try reportingFiles { () throws(FileError) -> (Bool, [String]) in
      for name in [configuration, checkpoints] where try folder.kind(of: name) != nil { return (true, []) }
      return (false, try folder.entries())
    }
    if try isRun || Checkpoint.isCheckpoint(folder) { return }
    // The entries are sorted. If the names of runs end with dates or with numbers of one digit, the last run is the
    // newest.
    let prefix = path.hasSuffix("/") ? path : path + "/"
    let run = entries.last { (try? CheckpointStore(folder.folder($0)).names())?.isEmpty == false }
    throw refusal(
      run.map { "it is not the folder of a run, but contains runs: try \(prefix)\($0)" }
        ?? "it is not the folder of a run: it has no \(configuration) and no \(checkpoints)")
  }

  /// Opens the folder of a run for reading; the run may be in progress.
  package init(reading path: String) throws(DataError) {
    folder = try reportingFiles { () throws(FileError) in try Folder(path: path) }
  }

  private init(_ locked: RunFolder, isNew: Bool) { (folder, self.locked, self.isNew) = (locked.folder, locked, isNew) }

  /// Locks an open folder to resume its run.
  /// - Throws: when another process has locked it.
  package init(locking folder: Folder) throws(TrainingError) { self.init(try RunFolder(locking: folder), isNew: false) }

  /// Creates and locks a folder: the named one or, without a name, the first of `runs/<model>-1`, `runs/<model>-2`, …
  /// that does not exist yet.
  /// - Throws: when the named folder contains a run with a checkpoint, or files of another origin that a run would
  ///   overwrite.
  package static func creating(_ path: String?, for model: String) throws -> RunFiles {
    guard let path else { return try next(for: model) }
    let isNew = !FileSystem.exists(path)
    if FileSystem.isDirectory(path) { try refuseOtherFiles(in: path) }
    let files = RunFiles(try RunFolder(creating: path), isNew: isNew)
    guard try files.checkpoints.names().isEmpty else { throw TrainingError.occupied(path: path) }
    return files
  }

  /// Throws if the folder contains a file that a run would overwrite and that does not come from a run. If the folder
  /// has a valid configuration, its files come from a run. The caller throws if this run has a checkpoint.
  private static func refuseOtherFiles(in path: String) throws {
    let files = try RunFiles(reading: path)
    let present = try reportingFiles { () throws(FileError) -> [String] in
      var names: [String] = []
      for name in [configuration, metrics] where try files.folder.kind(of: name) != nil { names.append(name) }
      return names
    }
    guard let first = present.first else { return }
    if let stored = try? files.configuration(), (try? RunSettings(stored: stored)) != nil { return }
    throw OptionError(
      "--output \(path): the folder has a file \(first) that does not come from a run and would be overwritten; "
        + "use another folder")
  }

  private static func next(for model: String) throws -> RunFiles {
    let hasRuns = FileSystem.exists("runs")
    try reportingFiles { () throws(FileError) in try FileSystem.createDirectory("runs") }
    // A name such as ../x must not lead to another folder.
    let name = String(model.map { $0.isLetter || $0.isNumber || "-_.".contains($0) ? $0 : "-" })
    for number in 1... {
      let path = "runs/\(name)-\(number)"
      if mkdir(path, 0o777) == 0 {
        var files = RunFiles(try RunFolder(creating: path), isNew: true)
        files.hasNewParent = !hasRuns
        return files
      }
      guard errno == EEXIST else {
        throw DataError.inputOutput(
          path: path, operation: "create the folder", reason: String(cString: strerror(errno)))
      }
    }
    fatalError("unreachable: the numbers do not end")
  }

  private var checkpoints: CheckpointStore { CheckpointStore(folder) }

  /// Writes `config.json`, and replaces an existing one atomically.
  package func write(_ settings: RunSettings) throws(DataError) {
    let text = JSON.object(settings.json).text(indented: true) + "\n"
    try reportingFiles { () throws(FileError) in
      try AtomicFile.write(Array(text.utf8), in: folder, name: RunFiles.configuration)
    }
  }

  /// Removes the folder if this process created it and it contains only files that a run writes, with no checkpoint
  /// after step 0. Also removes the folder `runs` if this process created it and it is then empty.
  package func removeIfUnused() {
    let own: Set<String> = [
      RunFiles.configuration, RunFiles.metrics, RunFiles.checkpoints, "tensorboard", FolderLock.name,
    ]
    guard isNew, let names = try? checkpoints.names(), names.allSatisfy({ Int($0.drop { !$0.isNumber }) == 0 }),
      let entries = try? folder.entries(), Set(entries).isSubset(of: own)
    else { return }
    // A folder that cannot be removed does no harm.
    try? folder.removeAll()
    if hasNewParent { rmdir("runs") }
  }

  /// The settings that the run has stored; `nil` if it has stored none.
  package func configuration() throws -> Configuration? {
    guard let bytes = try contents(of: RunFiles.configuration, { try $0.contents(limit: Configuration.limit) })
    else {
      return nil
    }
    return try Configuration(origin: folder.path(of: RunFiles.configuration), text: bytes)
  }

  /// The metrics that the run has written; `nil` if there are none.
  func readMetrics() throws -> RunMetrics? { try contents(of: RunFiles.metrics) { try RunMetrics($0) } }

  private func contents<R>(of name: String, _ read: (FileDescriptor) throws -> R) throws -> R? {
    do {
      guard try folder.kind(of: name) != nil else { return nil }
      return try read(folder.file(reading: name))
    } catch let error as FileError {
      throw DataError(error)
    }
  }
}
