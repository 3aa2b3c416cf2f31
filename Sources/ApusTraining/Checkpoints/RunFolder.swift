import ApusSystem

/// The folder of a run, open and locked: no other process writes to the run while this object exists.
///
/// The contents of the folder are not trusted; see `Folder`.
package final class RunFolder: Sendable {
  package let folder: Folder
  private let lock: FolderLock

  /// Opens and locks a folder; creates it if it is missing.
  /// - Throws: `TrainingError.inUse` when another process has the lock.
  package init(creating path: String) throws(TrainingError) {
    folder = try reportingTraining { try Folder(creating: path) }
    lock = try RunFolder.lock(folder)
  }

  /// Locks an open folder.
  /// - Throws: `TrainingError.inUse` when another process has the lock.
  package init(locking folder: Folder) throws(TrainingError) {
    self.folder = folder
    lock = try RunFolder.lock(folder)
  }

  private static func lock(_ folder: Folder) throws(TrainingError) -> FolderLock {
    switch try reportingTraining({ try FolderLock.acquire(of: folder) }) {
    case .locked(let lock): return lock
    case .inUse(let process): throw .inUse(path: folder.path, process: process)
    }
  }
}
