import Glibc

/// Atomically replaces a file: after any failure, at any time, the path contains either all old bytes or all new bytes.
///
/// The bytes are written to a new file in the same folder (renames do not cross file systems). Every write, flush and
/// rename is checked for errors. The file is flushed to the disk before the rename, and the folder after the rename.
package final class AtomicFile {
  package let path: String
  private let folder: Folder
  private let name: String
  /// The name of the new file until the commit.
  private let temporary: String
  private let file: FileDescriptor
  private var isDone = false
  private var written = 0

  /// Starts to write a file at a path from the user. A symbolic link is replaced, not followed.
  /// - Parameter needed: the final size of the file in bytes; if the disk has less free space, the error occurs before
  ///   anything is written.
  package convenience init(path: String, needed: Int = 0) throws(FileError) {
    let (parent, name) = splitPath(path)
    var status = stat()
    let exists = stat(path, &status) == 0
    if exists, status.st_mode & S_IFMT != S_IFREG {
      throw FileError(operation: "write", path: path, code: 0, detail: "exists and is not a regular file")
    }
    let folder: Folder
    do throws(FileError) { folder = try Folder(path: parent) } catch {
      throw FileError(operation: "write", path: path, code: error.code, detail: error.detail)
    }
    try self.init(path, folder, name, mode: exists ? status.st_mode & 0o777 : nil, needed: needed)
  }

  /// Starts to write a file in an untrusted folder: only a regular file with one hard link is replaced.
  /// - Parameter needed: as in `init(path:needed:)`.
  package convenience init(in folder: Folder, name: String, needed: Int = 0) throws(FileError) {
    let mode = try folder.checkReplaceable(name)
    try self.init(folder.path(of: name), folder, name, mode: mode, needed: needed)
  }

  private init(_ path: String, _ folder: Folder, _ name: String, mode: mode_t?, needed: Int) throws(FileError) {
    (self.path, self.folder, self.name) = (path, folder, name)
    try AtomicFile.checkSpace(in: folder, path: path, needed: needed)
    (file, temporary) = try AtomicFile.create(in: folder, name: name, path: path)
    if let mode, fchmod(file.number, mode) != 0 { throw .current("chmod", path) }
  }

  deinit { if !isDone { unlinkat(folder.number, temporary, 0) } }

  /// Appends bytes to the new file.
  package func write(_ bytes: [UInt8]) throws(FileError) {
    do throws(FileError) {
      try file.write(bytes)
      written += bytes.count
    } catch {
      throw explained(error, needed: written + bytes.count)
    }
  }

  /// Flushes the new file and renames it over the old one.
  package func commit() throws(FileError) {
    guard fsync(file.number) == 0 else { throw explained(.current("flush", path), needed: written) }
    guard renameat(folder.number, temporary, folder.number, name) == 0 else { throw .current("rename", path) }
    isDone = true
    try folder.flush()
  }

  /// Creates an empty file with a name that no other writer uses.
  private static func create(
    in folder: Folder, name: String, path: String
  ) throws(FileError) -> (FileDescriptor, String) {
    for attempt in 0..<1000 {
      let temporary = ".\(name).\(getpid())-\(attempt).new"
      let number = openat(folder.number, temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0o666)
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

  private static func checkSpace(in folder: Folder, path: String, needed: Int) throws(FileError) {
    guard needed > 0, let free = FileSystem.freeByteCount(folder.path), free < needed else { return }
    throw FileError(
      operation: "write", path: path, code: ENOSPC, detail: "\(needed) bytes are needed, \(free) are free")
  }
}

extension AtomicFile {
  /// Replaces the file at `path` by a file with these bytes.
  package static func write(_ bytes: some Sequence<UInt8>, to path: String) throws(FileError) {
    let bytes = bytes as? [UInt8] ?? Array(bytes)
    try AtomicFile(path: path, needed: bytes.count).finish(bytes)
  }

  /// Replaces a file in an untrusted folder.
  package static func write(_ bytes: [UInt8], in folder: Folder, name: String) throws(FileError) {
    try AtomicFile(in: folder, name: name, needed: bytes.count).finish(bytes)
  }

  private func finish(_ bytes: [UInt8]) throws(FileError) {
    try write(bytes)
    try commit()
  }
}

/// The folder of a path (`.` if the path has no folder) and the last component of the path.
func splitPath(_ path: String) -> (folder: String, name: String) {
  guard let slash = path.lastIndex(of: "/") else { return (".", path) }
  let folder = slash == path.startIndex ? "/" : String(path[..<slash])
  return (folder, String(path[path.index(after: slash)...]))
}
