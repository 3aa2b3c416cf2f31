import ApusCSIMD
import ApusSystem

/// Transposes blocks of an array into a result whose rows are far apart in memory.
///
/// Large results are written with non-temporal stores: small blocks are transposed into a scratch buffer, whose rows
/// are then written one after the other. This requires elements of four bytes, and rows of the result that begin at
/// cache lines.
///
/// If long rows of a large result do not begin at a cache line, a task's whole block is transposed into the scratch
/// buffer before its rows are written. If the rows were written in short pieces, the partial cache lines at both ends
/// of each piece would be read from memory again.
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
  /// Bytes of the scratch buffer.
  let scratchByteCount: Int
  /// The row stride of a scratch buffer that stores a whole block, in elements.
  private let scratchStride: Int

  /// The minimum number of columns at which rows are long enough for separate copies.
  private static let leastColumns = 256

  /// Whether small blocks are transposed and then written with non-temporal stores (`transpose_streamed`). The result
  /// must be large, its elements must have four bytes, and its rows must begin at cache lines.
  ///
  /// - Parameters:
  ///   - byteCount: bytes of an element.
  ///   - offset: the offset of the result's first element.
  ///   - stride: the row stride of the result, in elements.
  static func isStreamed(byteCount: Int, offset: Int, stride: Int, resultByteCount: Int) -> Bool {
    resultByteCount >= CacheLimits.scatteredByteCount && byteCount == 4 && (offset | stride) * byteCount % 64 == 0
  }

  /// - Parameters:
  ///   - byteCount: bytes of an element.
  ///   - rows: the number of rows of the largest block of the result.
  ///   - columns: the number of columns of this block.
  ///   - stride: the row stride of the result, in elements.
  ///   - resultByteCount: bytes of the whole result. 0 selects ordinary stores, for a result that is soon read again.
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
    // Without 16 more elements, the rows of a block with 2ⁿ columns would map to the same cache sets.
    scratchStride = roundUp(columns, toMultipleOf: 16) + 16
    scratchByteCount =
      isStreamed
      ? Int(CSIMD_TRANSPOSE_SCRATCH) : isBuffered ? roundUp(rows * scratchStride * byteCount, toMultipleOf: 64) : 0
  }

  /// Transposes a block: row `r`, column `c` of the result is element `c·sourceStride + r` of the source.
  func run(
    rows: Int, columns: Int, _ source: UnsafeRawPointer, _ sourceStride: Int, _ target: UnsafeMutableRawPointer,
    _ stride: Int, scratch: UnsafeMutableRawPointer
  ) {
    if isStreamed, (Int(bitPattern: target) | stride * byteCount) % 64 == 0 {
      loops.pointee.transpose_streamed(
        rows, columns, source.assumingMemoryBound(to: Float.self), sourceStride,
        target.assumingMemoryBound(to: Float.self), stride, scratch)
      return
    }
    guard isBuffered else {
      function(rows, columns, source, sourceStride, target, stride)
      return
    }
    function(rows, columns, source, sourceStride, scratch, scratchStride)
    for row in 0..<rows {
      loops.pointee.stream(
        columns * byteCount, scratch + row * scratchStride * byteCount, target + row * stride * byteCount)
    }
    csimd_fence()
  }
}
