/// Bytes of pixels at one place in memory, which threads fill together. Once it is handed out nobody writes to it.
public final class PixelBuffer: @unchecked Sendable {
  public let count: Int
  let start: UnsafeMutablePointer<UInt8>

  init(count: Int) {
    self.count = count
    start = .allocate(capacity: max(count, 1))
  }

  deinit { start.deallocate() }

  /// Calls `body` with the bytes.
  public func withBytes<R>(_ body: (UnsafeRawBufferPointer) -> R) -> R {
    body(UnsafeRawBufferPointer(start: start, count: count))
  }

  /// A copy of the bytes.
  public func array() -> [UInt8] { withBytes { Array($0) } }
}
