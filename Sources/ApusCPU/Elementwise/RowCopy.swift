import ApusDevice
import ApusCSIMD
import ApusSystem

/// A copy without conversion whose source and result are contiguous along the last axis. It copies rows; a row is the
/// elements along this axis.
struct RowCopy {
  private let source: Int
  private let result: Int
  private let rowByteCount: Int
  private let dtype: DType
  private let rowCount: Int
  private let from: csimd_layout
  private let to: csimd_layout
  /// The number of consecutive rows at equal distances: the extent of the axis next to the contiguous one.
  private let lastExtent: Int
  /// The strides of these rows in bytes.
  private let lastStep: (source: Int, result: Int)
  /// The function that copies with non-temporal stores, for results that have long rows and do not fit into the caches;
  /// otherwise `nil`.
  private let stream: (@convention(c) (Int, UnsafeRawPointer?, UnsafeMutableRawPointer?) -> Void)?
  /// The function that copies up to `lastExtent` short rows in one call; `nil` for other rows.
  private let copyRowsTogether:
    (@convention(c) (Int, Int, UnsafePointer<Float>?, Int, UnsafeMutablePointer<Float>?, Int) -> Void)?
  /// Rows per task.
  private let grain: Int
  /// The approximate bytes per task; a longer row is split.
  private static let taskByteCount = 1 << 17

  /// The row copy that is equivalent to a copy; `nil` unless source and result are contiguous along the last axis.
  init?(_ copy: PlainCopy, _ builder: StepBuilder) {
    let shape = copy.shape
    let inner = shape.rank - 1
    guard inner >= 0, copy.from.strides[inner] == 1, copy.to.strides[inner] == 1 else { return nil }
    (source, result, dtype) = (copy.source, copy.result, copy.dtype)
    let others = Array(0..<inner)
    from = copy.from.selecting(others).raw
    to = copy.to.selecting(others).raw
    rowCount = shape.selecting(others).elementCount
    rowByteCount = shape[inner] * dtype.byteCount
    lastExtent = inner > 0 ? shape[inner - 1] : 1
    lastStep =
      inner > 0
      ? (copy.from.strides[inner - 1] * dtype.byteCount, copy.to.strides[inner - 1] * dtype.byteCount) : (0, 0)
    stream =
      2 * builder.plan.values[result].byteCount >= CacheLimits.stepByteCount && rowByteCount >= 4096
      ? builder.loops.pointee.stream : nil
    let isShort = dtype.byteCount == 4 && (64...1024).contains(rowByteCount)
    copyRowsTogether = isShort && lastStep.source >= 0 && lastStep.result > 0 ? builder.loops.pointee.copy_rows : nil
    grain = max(1, Self.taskByteCount / max(1, rowByteCount))
  }

  func run(_ context: borrowing RunContext) {
    let (source, target) = (context.address(source), context.address(result))
    let pieces = ceilDivide(rowByteCount, Self.taskByteCount)
    if pieces <= 1 {
      context.pool.run(ceilDivide(rowCount, grain)) { task, _ in
        copyRows(blockRange(task, size: grain, count: rowCount), source, target)
        if stream != nil { csimd_fence() }
      }
      return
    }
    context.pool.run(rowCount * pieces) { task, _ in
      let (row, piece) = task.quotientAndRemainder(dividingBy: pieces)
      let (start, end) = positions(row)
      let first = piece * Self.taskByteCount
      copy(min(Self.taskByteCount, rowByteCount - first), source + start + first, target + end + first)
      if stream != nil { csimd_fence() }
    }
  }

  private func copyRows(
    _ rows: Range<Int>, _ source: UnsafeMutableRawPointer, _ target: UnsafeMutableRawPointer
  ) {
    if let copyRowsTogether {
      var row = rows.lowerBound
      while row < rows.upperBound {
        let count = min(lastExtent - row % lastExtent, rows.upperBound - row)
        let (start, end) = positions(row)
        copyRowsTogether(
          count, rowByteCount / 4, (source + start).assumingMemoryBound(to: Float.self), lastStep.source / 4,
          (target + end).assumingMemoryBound(to: Float.self), lastStep.result / 4)
        row += count
      }
      return
    }
    var (start, end) = positions(rows.lowerBound)
    var left = lastExtent - rows.lowerBound % lastExtent
    for row in rows {
      copy(rowByteCount, source + start, target + end)
      start += lastStep.source
      end += lastStep.result
      left -= 1
      if left == 0 && row + 1 < rows.upperBound {
        (start, end) = positions(row + 1)
        left = lastExtent
      }
    }
  }

  /// - Note: other threads see non-temporal stores only after a fence, which the caller executes.
  private func copy(_ byteCount: Int, _ source: UnsafeMutableRawPointer, _ target: UnsafeMutableRawPointer) {
    if let stream { stream(byteCount, source, target) } else { target.copyMemory(from: source, byteCount: byteCount) }
  }

  /// The byte offsets of a row in the source and in the result.
  private func positions(_ row: Int) -> (Int, Int) {
    withUnsafePointer(to: from) { from in
      withUnsafePointer(to: to) { to in
        (
          Int(csimd_position(from, Int64(row))) * dtype.byteCount,
          Int(csimd_position(to, Int64(row))) * dtype.byteCount
        )
      }
    }
  }
}
