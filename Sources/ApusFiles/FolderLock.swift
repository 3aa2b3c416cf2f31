import Glibc

/// The exclusive use of a folder, until the value goes away or the process ends, in whatever way.
///
/// It is a lock (`flock`) of the file `.lock` in the folder, which holds the number of the process. The file stays: a
/// lock of a file that is removed would not keep others from the next one.
package final class FolderLock: Sendable {
  /// The name of the file.
  package static let name = ".lock"

  /// What became of a wish for a lock.
  package enum Outcome: Sendable {
    case locked(FolderLock)
    /// Another process has it, of this number where it could be read.
    case inUse(process: Int?)
  }

  private let file: FileDescriptor

  private init(_ file: FileDescriptor) { self.file = file }

  deinit {
    // The next reader must not take a number from before for that of the process that has the lock now.
    ftruncate(file.number, 0)
  }

  /// Takes the lock, or says who has it. Nothing is waited for.
  package static func take(of folder: Folder) throws(FileError) -> Outcome {
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

  /// The process that has the lock. It writes its number a moment after it has it.
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
