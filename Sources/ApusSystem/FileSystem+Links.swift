import Glibc

extension FileSystem {
  /// The kind of a file.
  package enum Kind: Sendable {
    case file
    case folder
    /// A symbolic link.
    case link
    /// A pipe, a socket or a device.
    case other
  }

  /// The kind of the file at a path. It is an error if the file does not exist.
  /// - Parameter followsLinks: whether to return the kind of a symbolic link's target instead of `link`
  package static func kind(of path: String, followsLinks: Bool) throws(FileError) -> Kind {
    var status = stat()
    guard (followsLinks ? stat(path, &status) : lstat(path, &status)) == 0 else { throw .current("access", path) }
    return Kind(status)
  }

  /// The absolute path of an existing file, without symbolic links, `.` and `..`.
  package static func canonicalPath(_ path: String) throws(FileError) -> String {
    guard let resolved = realpath(path, nil) else { throw .current("resolve", path) }
    defer { free(resolved) }
    return String(cString: resolved)
  }
}

extension FileSystem.Kind {
  /// The kind from the result of `stat`.
  init(_ status: stat) {
    self =
      switch status.st_mode & S_IFMT {
      case S_IFREG: .file
      case S_IFDIR: .folder
      case S_IFLNK: .link
      default: .other
      }
  }
}
