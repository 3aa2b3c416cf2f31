import Glibc

extension FileSystem {
  /// What there can be at a path.
  package enum Kind: Sendable {
    case file
    case directory
    case link
    /// A pipe, a socket or a device.
    case other
  }

  /// What there is at a path.
  /// - Parameter followsLinks: whether it is what a symbolic link leads to; else `link` is a kind of its own
  package static func kind(of path: String, followsLinks: Bool) throws(FileError) -> Kind {
    var status = stat()
    guard (followsLinks ? stat(path, &status) : lstat(path, &status)) == 0 else { throw .current("look at", path) }
    return Kind(status)
  }

  /// The absolute path without symbolic links, `.` and `..`, of something that is there.
  package static func canonicalPath(_ path: String) throws(FileError) -> String {
    guard let resolved = realpath(path, nil) else { throw .current("resolve", path) }
    defer { free(resolved) }
    return String(cString: resolved)
  }
}

extension FileSystem.Kind {
  /// What `stat` found.
  init(_ status: stat) {
    self =
      switch status.st_mode & S_IFMT {
      case S_IFREG: .file
      case S_IFDIR: .directory
      case S_IFLNK: .link
      default: .other
      }
  }
}
