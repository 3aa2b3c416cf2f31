import ApusDevice
import ApusCSIMD

/// Copies rows of elements and converts the elements to `float32`.
struct RowCopier {
  let dtype: DType
  private let load: csimd_load
  private let loops: UnsafePointer<csimd_table>

  init(_ dtype: DType, _ builder: StepBuilder) {
    self.dtype = dtype
    loops = builder.loops
    load = csimd_find_load(builder.loops, Int32(dtype.rawValue))
  }

  /// - Parameters:
  ///   - rows: the number of rows; nothing is copied if it is 0, as for a strip of an image that lies in the padding.
  ///   - count: the number of elements of a row.
  ///   - first: the index of the first element, counted from `base`.
  ///   - stride, targetStride: the number of elements from one row to the next, in the source and in the target.
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
    // One call converts several rows and the gaps between them, because a single row may be shorter than a vector.
    let block = max(1, (Self.scratchCount - count) / max(1, stride) + 1)
    withUnsafeTemporaryAllocation(of: Float.self, capacity: max(Self.scratchCount, count) + 16) { scratch in
      let numbers = scratch.baseAddress!
      for start in Swift.stride(from: 0, to: rows, by: block) {
        let height = min(block, rows - start)
        load((height - 1) * stride + count, numbers, source + start * stride * dtype.byteCount, 1)
        loops.pointee.copy_rows(height, count, numbers, stride, target + start * targetStride, targetStride)
      }
    }
  }

  /// The maximum number of elements that one call converts, unless a row is longer.
  private static let scratchCount = 2048
}
