import Glibc

/// Bytes of pixels at one place in memory, which threads fill together. Once it is handed out it is not written to.
public final class PixelBuffer: @unchecked Sendable {
  public let count: Int
  let start: UnsafeMutablePointer<UInt8>

  /// - Returns: `nil` where there is no memory for it.
  init?(count: Int) {
    guard let memory = malloc(max(count, 1)) else { return nil }
    self.count = count
    start = memory.bindMemory(to: UInt8.self, capacity: max(count, 1))
  }

  deinit { free(start) }

  /// Calls `body` with the bytes.
  public func withBytes<R>(_ body: (UnsafeRawBufferPointer) -> R) -> R {
    body(UnsafeRawBufferPointer(start: start, count: count))
  }

  /// A copy of the bytes.
  public func array() -> [UInt8] { withBytes { Array($0) } }
}
