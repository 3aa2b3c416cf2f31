import Glibc

/// What else is asked of the file system.
package enum FileSystem {
  /// Creates a directory and those above it that are missing.
  package static func createDirectory(_ path: String, mode: mode_t = 0o777) throws(FileError) {
    var status = stat()
    if stat(path, &status) == 0 {
      guard status.st_mode & S_IFMT == S_IFDIR else {
        throw FileError(operation: "create the directory", path: path, code: ENOTDIR)
      }
      return
    }
    let parent = splitPath(path).directory
    if parent != path, parent != ".", parent != "/" { try createDirectory(parent, mode: mode) }
    guard mkdir(path, mode) == 0 || errno == EEXIST else { throw .current("create the directory", path) }
  }

  /// The names in a directory, sorted, without `.` and `..`.
  package static func entries(of path: String) throws(FileError) -> [String] {
    guard let directory = opendir(path) else { throw .current("list", path) }
    defer { closedir(directory) }
    var names: [String] = []
    while let entry = readdir(directory) {
      let name = withUnsafePointer(to: &entry.pointee.d_name) {
        $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
      }
      if name != ".", name != ".." { names.append(name) }
    }
    return names.sorted()
  }

  /// Whether there is something at `path`.
  package static func exists(_ path: String) -> Bool { access(path, F_OK) == 0 }

  /// Whether there is a directory at `path`.
  package static func isDirectory(_ path: String) -> Bool {
    var status = stat()
    return stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR
  }

  /// Makes the names in a directory survive a crash of the machine.
  package static func flushDirectory(_ path: String) throws(FileError) {
    let number = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard number >= 0 else { throw .current("flush", path) }
    defer { close(number) }
    // Some file systems have nothing to flush for a directory and say EINVAL.
    guard fsync(number) == 0 || errno == EINVAL else { throw .current("flush", path) }
  }
}
