import ApusDevice
import CSIMD

/// Copies rows of numbers, as `float32`.
struct RowCopier {
  let dtype: DType
  private let load: csimd_load
  private let loops: UnsafePointer<csimd_table>

  init(_ dtype: DType, _ builder: StepBuilder) {
    self.dtype = dtype
    loops = builder.loops
    load = csimd_find_load(builder.loops, Int32(dtype.rawValue))
  }

  /// - Parameter first: the first number, counted from `base`.
  func copy(
    _ rows: Int, _ count: Int, _ base: UnsafeMutableRawPointer, _ first: Int, stride: Int,
    to target: UnsafeMutablePointer<Float>, stride targetStride: Int
  ) {
    let source = base + first * dtype.byteCount
    guard rows > 0 else { return }
    if dtype == .float32 {
      loops.pointee.copy_rows(
        rows, count, source.assumingMemoryBound(to: Float.self), stride, target, targetStride)
      return
    }
    // Rows are shorter than what a conversion is fast for: many are converted at once, gaps included.
    let block = max(1, (Self.roomCount - count) / max(1, stride) + 1)
    withUnsafeTemporaryAllocation(of: Float.self, capacity: max(Self.roomCount, count) + 16) { room in
      let numbers = room.baseAddress!
      for start in Swift.stride(from: 0, to: rows, by: block) {
        let height = min(block, rows - start)
        load((height - 1) * stride + count, numbers, source + start * stride * dtype.byteCount, 1)
        loops.pointee.copy_rows(height, count, numbers, stride, target + start * targetStride, targetStride)
      }
    }
  }

  /// Numbers that are converted at once.
  private static let roomCount = 2048
}
