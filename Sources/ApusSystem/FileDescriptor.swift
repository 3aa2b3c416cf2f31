import Glibc

/// An open file. It is closed when the last reference is released.
package final class FileDescriptor: Sendable {
  package let path: String
  package let number: Int32

  /// Takes ownership of an open file; `path` names it in errors.
  package init(path: String, number: Int32) {
    self.path = path
    self.number = number
  }

  deinit { close(number) }

  /// Opens a regular file for reading. Folders, devices and pipes are rejected, so that a path from the user cannot
  /// block the process.
  package convenience init(reading path: String) throws(FileError) {
    let number = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    guard number >= 0 else { throw .current("open", path, detail: FileDescriptor.lossyName(path)) }
    var status = stat()
    guard fstat(number, &status) == 0 else {
      let error = FileError.current("stat", path)
      close(number)
      throw error
    }
    guard status.st_mode & S_IFMT == S_IFREG else {
      close(number)
      throw FileError(operation: "open", path: path, code: 0, detail: "not a regular file")
    }
    self.init(path: path, number: number)
  }

  /// Explains why a path from the listing of a folder does not exist: the listing replaced bytes of the name that are
  /// not UTF-8.
  private static func lossyName(_ path: String) -> String? {
    guard errno == ENOENT, path.unicodeScalars.contains("\u{FFFD}") else { return nil }
    return "its name may not be UTF-8; rename it"
  }

  /// The size of the file in bytes.
  package func byteCount() throws(FileError) -> Int {
    var status = stat()
    guard fstat(number, &status) == 0 else { throw .current("stat", path) }
    return Int(status.st_size)
  }

  /// Reads from `offset` into `buffer` and returns the number of bytes read. The number is less than `buffer.count`
  /// only if the file ends.
  package func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int) throws(FileError) -> Int {
    var done = 0
    while done < buffer.count {
      let count = pread(number, buffer.baseAddress! + done, buffer.count - done, off_t(offset + done))
      if count == 0 { break }
      if count < 0 {
        if errno == EINTR { continue }
        throw .current("read", path)
      }
      done += count
    }
    return done
  }

  /// Reads `count` bytes from `offset` on, or fewer at the end of the file.
  /// - Throws: when the file cannot be read, or there is not enough memory.
  package func bytes(at offset: Int, count: Int) throws(FileError) -> [UInt8] {
    guard HostAllocation.isPossible(count) else {
      throw FileError(operation: "read", path: path, code: ENOMEM, detail: "\(count) bytes are needed")
    }
    var failure: FileError?
    let bytes = [UInt8](unsafeUninitializedCapacity: count) { buffer, initialized in
      do throws(FileError) {
        initialized = try read(into: UnsafeMutableRawBufferPointer(buffer), at: offset)
      } catch { failure = error }
    }
    if let failure { throw failure }
    return bytes
  }

  /// Writes all bytes at the current position.
  package func write(_ bytes: UnsafeRawBufferPointer) throws(FileError) {
    var rest = bytes[...]
    while !rest.isEmpty {
      let count = Glibc.write(number, UnsafeRawBufferPointer(rebasing: rest).baseAddress!, rest.count)
      if count < 0 {
        if errno == EINTR { continue }
        throw .current("write", path)
      }
      rest = rest.dropFirst(count)
    }
  }

  /// Writes all bytes at the current position.
  package func write(_ bytes: [UInt8]) throws(FileError) {
    var failure: FileError?
    bytes.withUnsafeBytes { buffer in
      do throws(FileError) { try write(buffer) } catch { failure = error }
    }
    if let failure { throw failure }
  }

  /// Truncates the file to a number of bytes; the next write starts there.
  package func truncate(to count: Int) throws(FileError) {
    guard ftruncate(number, off_t(count)) == 0, lseek(number, off_t(count), SEEK_SET) >= 0 else {
      throw .current("truncate", path)
    }
  }

  /// Flushes the written data to the disk.
  package func flush() throws(FileError) {
    guard fsync(number) == 0 else { throw .current("flush", path) }
  }

  /// Throws if the file has been removed: data that is written to a removed file would be lost silently.
  package func checkNotRemoved() throws(FileError) {
    var status = stat()
    guard fstat(number, &status) == 0 else { throw .current("access", path) }
    guard status.st_nlink > 0 else {
      throw FileError(operation: "write", path: path, code: ENOENT, detail: "it was removed while it was being written")
    }
  }
}

extension FileDescriptor {
  /// The contents of a regular file.
  /// - Parameter limit: a larger file is an error, detected before memory is allocated.
  package static func contents(of path: String, limit: Int = .max) throws(FileError) -> [UInt8] {
    try FileDescriptor(reading: path).contents(limit: limit)
  }

  /// Reads the whole file to memory.
  /// - Parameter limit: a larger file is an error, detected before memory is allocated.
  package func contents(limit: Int = .max) throws(FileError) -> [UInt8] {
    let count = try byteCount()
    guard count <= limit else {
      let detail = "\(count) bytes, more than the limit of \(limit)"
      throw FileError(operation: "read", path: path, code: EFBIG, detail: detail)
    }
    return try bytes(at: 0, count: count)
  }
}

extension FileDescriptor {
  package static let standardOutput = FileDescriptor(path: "standard output", number: STDOUT_FILENO)
  package static let standardError = FileDescriptor(path: "standard error", number: STDERR_FILENO)
}
