import Glibc

/// A contiguous buffer of pixel bytes, which several threads fill. It is not modified after the loader has returned it.
public final class PixelBuffer: @unchecked Sendable {
  public let count: Int
  let start: UnsafeMutablePointer<UInt8>

  /// - Returns: `nil` when the allocation fails.
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
