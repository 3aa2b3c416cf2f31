import Glibc

extension String {
  /// The start, at most 16 KiB, of a file that the system makes up as it is read, such as those in `/proc`: such files
  /// have no size to ask for. `nil` where there is none.
  package init?(systemFile path: String) {
    guard let file = fopen(path, "r") else { return nil }
    defer { fclose(file) }
    var bytes = [UInt8](repeating: 0, count: 16_384)
    let count = fread(&bytes, 1, bytes.count, file)
    self.init(decoding: bytes[..<count], as: UTF8.self)
  }
}
