import CSIMD

/// Transposes blocks into lines that lie far apart in memory.
///
/// Large results go past the caches. Small blocks are transposed into a room beside them, whose lines are then written one
/// after the other. That needs lines that begin with a line of the cache; where others are long, a task's whole block is
/// transposed in the room first. Written piece by piece, the first and the last bytes of each piece would be fetched for
/// every piece again.
struct BlockTransposition {
  private typealias Function =
    @convention(c) (
      Int, Int, UnsafeRawPointer?, Int, UnsafeMutableRawPointer?, Int
    ) -> Void

  private let function: Function
  private let loops: UnsafePointer<csimd_table>
  private let byteCount: Int
  private let isStreamed: Bool
  private let isBuffered: Bool
  /// Bytes of the room, and elements from one line to the next there where it has a whole block.
  let roomByteCount: Int
  private let roomStride: Int

  /// Columns from which on lines are long enough to be copied by themselves.
  private static let leastColumns = 256

  /// Whether lines begin where lines of the cache do, and go past the caches.
  ///
  /// - Parameter offset: the first element of the result.
  static func isStreamed(byteCount: Int, offset: Int, stride: Int, resultByteCount: Int) -> Bool {
    resultByteCount >= CacheLimits.scatteredByteCount && byteCount == 4 && (offset | stride) * byteCount % 64 == 0
  }

  /// - Parameters:
  ///   - byteCount: bytes of an element.
  ///   - rows: the rows of the largest block of the result.
  ///   - columns: its columns.
  ///   - stride: elements of the result from one row to the next.
  ///   - resultByteCount: bytes of the whole result; 0 where it is read again at once.
  init(
    byteCount: Int, rows: Int, columns: Int, stride: Int, resultByteCount: Int, _ loops: UnsafePointer<csimd_table>
  ) {
    self.byteCount = byteCount
    self.loops = loops
    let functions = loops.pointee.transpose
    function =
      switch byteCount {
      case 1: functions.0!
      case 2: functions.1!
      case 4: functions.2!
      default: functions.3!
      }
    isStreamed = Self.isStreamed(byteCount: byteCount, offset: 0, stride: stride, resultByteCount: resultByteCount)
    isBuffered =
      resultByteCount >= CacheLimits.scatteredByteCount && stride * byteCount % 64 != 0 && columns >= Self.leastColumns
    // Rows of a power of two bytes share the same places of a cache.
    roomStride = (columns + 15) / 16 * 16 + 16
    roomByteCount =
      isStreamed ? Int(CSIMD_TRANSPOSE_ROOM) : isBuffered ? (rows * roomStride * byteCount + 63) & ~63 : 0
  }

  /// Row `r` and column `c` of the result are element `c·sourceStride + r` of the source.
  func run(
    rows: Int, columns: Int, _ source: UnsafeRawPointer, _ sourceStride: Int, _ target: UnsafeMutableRawPointer,
    _ stride: Int, room: UnsafeMutableRawPointer
  ) {
    if isStreamed, (Int(bitPattern: target) | stride * byteCount) % 64 == 0 {
      loops.pointee.transpose_streamed(
        rows, columns, source.assumingMemoryBound(to: Float.self), sourceStride,
        target.assumingMemoryBound(to: Float.self), stride, room)
      return
    }
    guard isBuffered else {
      function(rows, columns, source, sourceStride, target, stride)
      return
    }
    function(rows, columns, source, sourceStride, room, roomStride)
    for row in 0..<rows {
      loops.pointee.stream(columns * byteCount, room + row * roomStride * byteCount, target + row * stride * byteCount)
    }
    csimd_fence()
  }
}
