import Glibc

/// Writes a line to stderr in one call, so that lines of several threads do not mix.
func warn(_ text: String) {
  let line = Array("apus: \(text)\n".utf8)
  line.withUnsafeBytes { _ = write(STDERR_FILENO, $0.baseAddress!, $0.count) }
}
