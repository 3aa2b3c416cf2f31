import Glibc

/// An open folder whose content is not trusted.
///
/// The files and folders inside are opened by name, relative to the descriptor of the open folder (`openat`). So if a
/// component of the folder's path is replaced later, all methods except `removeAll` still use the opened folder.
/// Symbolic links are not followed. A check of the opened file rejects pipes, sockets, devices and files with several
/// hard links. The names `.` and `..`, and names that contain a `/`, are rejected too.
package final class Folder: Sendable {
  /// The path in error messages.
  package let path: String
  /// The file descriptor.
  let number: Int32

  /// Opens a folder at a path from the user; symbolic links in the path are followed.
  package init(path: String) throws(FileError) {
    let number = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard number >= 0 else { throw .current("open", path) }
    (self.path, self.number) = (path, number)
  }

  /// Opens a folder at a path from the user. Creates the folder and its parents if they are missing.
  package convenience init(creating path: String) throws(FileError) {
    try FileSystem.createDirectory(path)
    try self.init(path: path)
  }

  private init(path: String, number: Int32) { (self.path, self.number) = (path, number) }

  deinit { close(number) }

  /// The path of an entry, for errors and messages.
  package func path(of name: String) -> String { "\(path)/\(name)" }

  /// The kind of an entry, without following symbolic links; `nil` when no entry has this name.
  package func kind(of name: String) throws(FileError) -> FileSystem.Kind? {
    try check(name, "access")
    var status = stat()
    guard fstatat(number, name, &status, AT_SYMLINK_NOFOLLOW) == 0 else {
      if errno == ENOENT { return nil }
      throw .current("access", path(of: name))
    }
    return FileSystem.Kind(status)
  }

  // MARK: - Files

  /// Opens a regular file for reading.
  package func file(reading name: String) throws(FileError) -> FileDescriptor { try file(name, O_RDONLY, "open") }

  /// Opens a regular file for writing. Creates the file if it does not exist, and preserves its contents otherwise.
  package func file(writing name: String) throws(FileError) -> FileDescriptor {
    try file(name, O_RDWR | O_CREAT, "write")
  }

  /// Creates a regular file; the error is `EEXIST` if an entry with this name exists.
  package func file(creating name: String) throws(FileError) -> FileDescriptor {
    try check(name, "create")
    let number = openat(number, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0o666)
    guard number >= 0 else { throw .current("create", path(of: name)) }
    return FileDescriptor(path: path(of: name), number: number)
  }

  private func file(_ name: String, _ flags: Int32, _ operation: String) throws(FileError) -> FileDescriptor {
    // Opening a device can have side effects, so check the kind first. The entry may be replaced before `openat`, so
    // the kind of the open file is checked again below.
    if let kind = try kind(of: name), kind != .file { throw refusal(of: kind, operation, name) }
    let number = openat(number, name, flags | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0o666)
    guard number >= 0 else { throw .current(operation, path(of: name)) }
    let file = FileDescriptor(path: path(of: name), number: number)
    var status = stat()
    guard fstat(number, &status) == 0 else { throw .current("access", file.path) }
    let kind = FileSystem.Kind(status)
    guard kind == .file else { throw refusal(of: kind, operation, name) }
    guard status.st_nlink <= 1 else { throw hardLink(operation, name) }
    return file
  }

  /// The contents of a regular file.
  /// - Parameter limit: a larger file is an error, detected before memory is allocated.
  package func contents(of name: String, limit: Int) throws(FileError) -> [UInt8] {
    try file(reading: name).contents(limit: limit)
  }

  /// Throws if an entry with this name exists and is not a regular file with one link.
  /// - Returns: the permissions of the file; `nil` if no entry has this name.
  func checkReplaceable(_ name: String) throws(FileError) -> mode_t? {
    try check(name, "write")
    var status = stat()
    guard fstatat(number, name, &status, AT_SYMLINK_NOFOLLOW) == 0 else {
      if errno == ENOENT { return nil }
      throw .current("access", path(of: name))
    }
    let kind = FileSystem.Kind(status)
    guard kind == .file else { throw refusal(of: kind, "write", name) }
    guard status.st_nlink <= 1 else { throw hardLink("write", name) }
    return status.st_mode & 0o777
  }

  // MARK: - Folders

  /// Opens a folder in this one.
  package func folder(_ name: String) throws(FileError) -> Folder {
    if let kind = try kind(of: name), kind != .folder { throw refusal(of: kind, "open", name) }
    let number = openat(number, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
    guard number >= 0 else { throw .current("open", path(of: name)) }
    return Folder(path: path(of: name), number: number)
  }

  /// Opens a folder in this one. If the inner folder does not exist, creates it first.
  package func folder(creating name: String) throws(FileError) -> Folder {
    try check(name, "create the folder")
    guard mkdirat(number, name, 0o777) == 0 || errno == EEXIST else {
      throw .current("create the folder", path(of: name))
    }
    return try folder(name)
  }

  // MARK: - Entries

  /// The names in the folder, sorted, without `.` and `..`.
  package func entries() throws(FileError) -> [String] {
    try names().map { Folder.text($0) }.sorted()
  }

  /// A name as text; bytes that are not UTF-8 become U+FFFD.
  private static func text(_ name: [CChar]) -> String {
    String(decoding: name.dropLast().lazy.map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }

  /// The names of the entries as the file system's bytes, each with a terminating zero. The bytes need not be UTF-8.
  private func names() throws(FileError) -> [[CChar]] {
    let own = openat(number, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard own >= 0, let folder = fdopendir(own) else { throw .current("list", path) }
    defer { closedir(folder) }
    var names: [[CChar]] = []
    while let entry = readdir(folder) {
      let name = withUnsafePointer(to: &entry.pointee.d_name) {
        $0.withMemoryRebound(to: CChar.self, capacity: 256) {
          Array(UnsafeBufferPointer(start: $0, count: strlen($0) + 1))
        }
      }
      let dot = CChar(bitPattern: UInt8(ascii: "."))
      if name != [dot, 0], name != [dot, dot, 0] { names.append(name) }
    }
    return names
  }

  /// Removes a file, or a folder with its contents. Symbolic links are removed, not followed.
  package func remove(_ name: String) throws(FileError) {
    try check(name, "remove")
    try remove(Array(name.utf8CString), depth: 0)
  }

  /// The largest nesting depth of folders to remove: each level keeps a descriptor open.
  private static let depthLimit = 64

  private func remove(_ name: [CChar], depth: Int) throws(FileError) {
    let path = path(of: Folder.text(name))
    if unlinkat(number, name, 0) == 0 || errno == ENOENT { return }
    // For a folder, Linux reports EISDIR and POSIX EPERM.
    guard errno == EISDIR || errno == EPERM else { throw .current("remove", path) }
    guard depth < Folder.depthLimit else {
      throw FileError(
        operation: "remove", path: path, code: ELOOP, detail: "folders are nested more than \(Folder.depthLimit) deep")
    }
    let own = openat(number, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
    guard own >= 0 else { throw .current("remove", path) }
    let folder = Folder(path: path, number: own)
    for entry in try folder.names() { try folder.remove(entry, depth: depth + 1) }
    guard unlinkat(number, name, AT_REMOVEDIR) == 0 || errno == ENOENT else { throw .current("remove", path) }
  }

  /// Removes all entries, then the folder itself by the path with which it was opened.
  package func removeAll() throws(FileError) {
    for name in try names() { try remove(name, depth: 0) }
    guard rmdir(path) == 0 || errno == ENOENT else { throw .current("remove", path) }
  }

  /// Renames an entry. A file replaces a file that has the new name; a folder replaces only an empty folder.
  package func move(_ name: String, to target: String) throws(FileError) {
    try check(name, "rename")
    try check(target, "rename")
    guard renameat(number, name, number, target) == 0 else {
      throw .current("rename", path(of: name), detail: "to \(target)")
    }
  }

  /// Flushes the folder, so that the names of its entries survive a crash of the machine.
  package func flush() throws(FileError) {
    // Some file systems have nothing to flush for a folder and return EINVAL.
    guard fsync(number) == 0 || errno == EINVAL else { throw .current("flush", path) }
  }

  // MARK: - Refusals

  private func check(_ name: String, _ operation: String) throws(FileError) {
    guard !name.isEmpty, name != ".", name != "..", !name.utf8.contains(UInt8(ascii: "/")), !name.utf8.contains(0)
    else {
      throw FileError(
        operation: operation, path: path, code: 0, detail: "\(name.debugDescription) is not a valid name")
    }
  }

  private func refusal(of kind: FileSystem.Kind, _ operation: String, _ name: String) -> FileError {
    let detail =
      switch kind {
      case .link: "it is a symbolic link, and links in this folder are not followed"
      case .folder: "it is a folder, not a file"
      case .file: "it is a file, not a folder"
      case .other: "it is a pipe, a socket or a device"
      }
    return FileError(operation: operation, path: path(of: name), code: 0, detail: detail)
  }

  private func hardLink(_ operation: String, _ name: String) -> FileError {
    FileError(
      operation: operation, path: path(of: name), code: 0,
      detail: "it has several hard links, so that it may change under another name; copy it")
  }
}
