import Glibc

/// An exclusive lock of a folder. It lasts until this object is freed or the process ends for any reason.
///
/// The lock is an `flock` of the file `.lock` in the folder. The file contains the ID of the process that holds the
/// lock. The file is never removed: otherwise one process could hold the lock of the removed file while another process
/// locks a new file with the same path.
package final class FolderLock: Sendable {
  /// The name of the file.
  package static let name = ".lock"

  /// The outcome of an attempt to lock.
  package enum Outcome: Sendable {
    case locked(FolderLock)
    /// The lock is held already; `process` is the ID of the holder, or `nil` if the ID could not be read.
    case inUse(process: Int?)
  }

  private let file: FileDescriptor

  private init(_ file: FileDescriptor) { self.file = file }

  deinit {
    // A later reader must not mistake this process ID for the ID of the next holder.
    ftruncate(file.number, 0)
  }

  /// Acquires the lock, or returns the process that holds it. Does not wait for the lock.
  package static func acquire(of folder: Folder) throws(FileError) -> Outcome {
    let file = try folder.file(writing: name)
    while flock(file.number, LOCK_EX | LOCK_NB) != 0 {
      if errno == EINTR { continue }
      guard errno == EWOULDBLOCK else { throw .current("lock", folder.path) }
      return .inUse(process: try holder(file))
    }
    guard ftruncate(file.number, 0) == 0 else { throw .current("lock", folder.path) }
    try file.write(Array("\(getpid())\n".utf8))
    return .locked(FolderLock(file))
  }

  /// The ID of the process that holds the lock; `nil` if it cannot be read within half a second. A process writes its
  /// ID shortly after it acquires the lock.
  private static func holder(_ file: FileDescriptor) throws(FileError) -> Int? {
    for _ in 0..<50 {
      let text = String(decoding: try file.bytes(at: 0, count: 20), as: UTF8.self)
      let digits = text.prefix { $0 != "\n" }
      if text.contains("\n"), let number = Int32(digits), number > 0, kill(number, 0) == 0 || errno == EPERM {
        return Int(number)
      }
      usleep(10_000)
    }
    return nil
  }
}
