import Glibc

extension String {
  /// The start of a file that the system makes up as it is read, such as those in `/proc`: such files have no size to
  /// ask for. `nil` where there is none.
  /// - Parameter limit: the most bytes that are read
  package init?(systemFile path: String, limit: Int = 16_384) {
    guard let file = fopen(path, "re") else { return nil }
    defer { fclose(file) }
    var bytes = [UInt8](repeating: 0, count: limit)
    let count = fread(&bytes, 1, bytes.count, file)
    self.init(decoding: bytes[..<count], as: UTF8.self)
  }
}
