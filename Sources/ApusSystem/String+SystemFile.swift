import Glibc

extension String {
  /// Reads the first `limit` bytes of a virtual file, for example in `/proc`: such a file reports no size. `nil` when
  /// the file cannot be opened.
  /// - Parameter limit: the largest number of bytes to read
  package init?(systemFile path: String, limit: Int = 16_384) {
    guard let file = fopen(path, "re") else { return nil }
    defer { fclose(file) }
    var bytes = [UInt8](repeating: 0, count: limit)
    let count = fread(&bytes, 1, bytes.count, file)
    self.init(decoding: bytes[..<count], as: UTF8.self)
  }
}
