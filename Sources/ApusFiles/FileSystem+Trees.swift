import Glibc

extension FileSystem {
  /// Gives a file or directory another name, in the same file system; a directory must not exist there.
  package static func move(_ path: String, to target: String) throws(FileError) {
    guard rename(path, target) == 0 else {
      throw .current("rename", path, detail: "to \(target)")
    }
  }

  /// Removes a file, or a directory with all that is in it. Symbolic links are removed, not followed.
  package static func remove(_ path: String) throws(FileError) {
    var status = stat()
    guard lstat(path, &status) == 0 else {
      if errno == ENOENT { return }
      throw .current("remove", path)
    }
    guard status.st_mode & S_IFMT == S_IFDIR else {
      guard unlink(path) == 0 || errno == ENOENT else { throw .current("remove", path) }
      return
    }
    for entry in try entries(of: path) { try remove("\(path)/\(entry)") }
    guard rmdir(path) == 0 || errno == ENOENT else { throw .current("remove", path) }
  }
}
