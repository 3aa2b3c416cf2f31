import Glibc

/// Operations on paths in the file system.
package enum FileSystem {
  /// Creates a folder and its missing parents.
  package static func createDirectory(_ path: String, mode: mode_t = 0o777) throws(FileError) {
    var status = stat()
    if stat(path, &status) == 0 {
      guard status.st_mode & S_IFMT == S_IFDIR else {
        throw FileError(operation: "create the folder", path: path, code: ENOTDIR)
      }
      return
    }
    let parent = splitPath(path).folder
    if parent != path, parent != ".", parent != "/" { try createDirectory(parent, mode: mode) }
    guard mkdir(path, mode) == 0 || errno == EEXIST else { throw .current("create the folder", path) }
  }

  /// Creates a folder that no other user can write to. An existing folder must belong to this user, and neither its
  /// group nor others may have the permission to write to it.
  package static func createPrivateDirectory(_ path: String) throws(FileError) {
    try createDirectory(path, mode: 0o700)
    var status = stat()
    guard stat(path, &status) == 0 else { throw .current("access", path) }
    guard status.st_uid == geteuid(), status.st_mode & 0o022 == 0 else {
      throw FileError(
        operation: "use", path: path, code: 0, detail: "it belongs to another user or others can write to it")
    }
  }

  /// The number of free bytes in the file system that contains a path; `nil` if it is unknown.
  package static func freeByteCount(_ path: String) -> Int? {
    var status = statvfs()
    guard statvfs(path, &status) == 0 else { return nil }
    let (free, overflow) = Int(clamping: status.f_bavail).multipliedReportingOverflow(by: Int(status.f_frsize))
    return overflow ? nil : free
  }

  /// An entry of a folder.
  package struct Entry: Sendable {
    package let name: String
    /// Whether the name in the file system is UTF-8. If it is not, `name` is a lossy conversion that cannot open the
    /// entry.
    package let isNamed: Bool
    /// Whether the entry is known to be a folder and not a symbolic link.
    package let isDirectory: Bool
  }

  /// The names in a folder, sorted, without `.` and `..`.
  package static func entries(of path: String) throws(FileError) -> [String] { try contents(of: path).map(\.name) }

  /// The entries of a folder, sorted by name, without `.` and `..`.
  package static func contents(of path: String) throws(FileError) -> [Entry] {
    guard let folder = opendir(path) else { throw .current("list", path) }
    defer { closedir(folder) }
    var found: [Entry] = []
    while let entry = readdir(folder) {
      let (name, isNamed) = withUnsafePointer(to: &entry.pointee.d_name) {
        $0.withMemoryRebound(to: CChar.self, capacity: 256) {
          (String(cString: $0), String(validatingCString: $0) != nil)
        }
      }
      if name == "." || name == ".." { continue }
      found.append(Entry(name: name, isNamed: isNamed, isDirectory: Int(entry.pointee.d_type) == Int(DT_DIR)))
    }
    return found.sorted { $0.name < $1.name }
  }

  /// Whether a file or folder exists at `path`.
  package static func exists(_ path: String) -> Bool { access(path, F_OK) == 0 }

  /// Whether a folder exists at `path`.
  package static func isDirectory(_ path: String) -> Bool {
    var status = stat()
    return stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR
  }
}
