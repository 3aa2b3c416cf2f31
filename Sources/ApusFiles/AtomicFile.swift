import Glibc

/// Replaces a file as a whole: after any failure, at any time, the path holds either all of the old
/// bytes or all of the new ones.
///
/// The bytes go to a new file in the same directory (renames do not cross file systems), every call is
/// checked, the file is flushed to the disk before the rename and the directory after it.
package final class AtomicFile {
  package let path: String
  private let temporary: String
  private let file: FileDescriptor
  private var isDone = false
  private var written = 0

  /// Starts to write `path`.
  /// - Parameter needed: the size the file will have; when the disk has less room, the error says so
  ///   before anything is written.
  package init(path: String, needed: Int = 0) throws(FileError) {
    self.path = path
    let (directory, name) = splitPath(path)
    var status = stat()
    let exists = stat(path, &status) == 0
    if exists, status.st_mode & S_IFMT != S_IFREG {
      throw FileError(operation: "write", path: path, code: 0, detail: "exists and is not a regular file")
    }
    try AtomicFile.checkSpace(directory: directory, path: path, needed: needed)
    (file, temporary) = try AtomicFile.create(beside: path, directory: directory, name: name)
    if exists, fchmod(file.number, status.st_mode & 0o777) != 0 {
      throw .current("chmod", path)
    }
  }

  deinit { if !isDone { unlink(temporary) } }

  /// Appends bytes to the new file.
  package func write(_ bytes: [UInt8]) throws(FileError) {
    do throws(FileError) {
      try file.write(bytes)
      written += bytes.count
    } catch {
      throw explained(error, needed: written + bytes.count)
    }
  }

  /// Flushes the new file and puts it in the place of the old one.
  package func commit() throws(FileError) {
    guard fsync(file.number) == 0 else { throw explained(.current("flush", path), needed: written) }
    guard rename(temporary, path) == 0 else { throw .current("rename", path) }
    isDone = true
    try FileSystem.flushDirectory(splitPath(path).directory)
  }

  /// A new empty file whose name no other writer has.
  private static func create(
    beside path: String, directory: String, name: String
  ) throws(FileError) -> (FileDescriptor, String) {
    for attempt in 0..<1000 {
      let temporary = "\(directory)/.\(name).\(getpid())-\(attempt).new"
      let number = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o666)
      if number >= 0 { return (FileDescriptor(path: path, number: number), temporary) }
      guard errno == EEXIST else { break }
    }
    throw .current("write", path)
  }

  private func explained(_ error: FileError, needed: Int) -> FileError {
    guard [ENOSPC, EDQUOT, EFBIG].contains(error.code) else { return error }
    var error = error
    error.detail = "at least \(needed) bytes are needed; the old file, if any, is unchanged"
    return error
  }

  private static func checkSpace(directory: String, path: String, needed: Int) throws(FileError) {
    guard needed > 0, let free = FileSystem.freeByteCount(directory), free < needed else { return }
    throw FileError(
      operation: "write", path: path, code: ENOSPC, detail: "\(needed) bytes are needed, \(free) are free")
  }
}

extension AtomicFile {
  /// Replaces `path` by a file of these bytes.
  package static func write(_ bytes: some Sequence<UInt8>, to path: String) throws(FileError) {
    let bytes = bytes as? [UInt8] ?? Array(bytes)
    let file = try AtomicFile(path: path, needed: bytes.count)
    try file.write(bytes)
    try file.commit()
  }
}

/// The directory of a path (`.` when it names none) and its last component.
func splitPath(_ path: String) -> (directory: String, name: String) {
  guard let slash = path.lastIndex(of: "/") else { return (".", path) }
  let directory = slash == path.startIndex ? "/" : String(path[..<slash])
  return (directory, String(path[path.index(after: slash)...]))
}
