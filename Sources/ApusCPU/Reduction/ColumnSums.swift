import ApusDevice
import ApusCSIMD
import ApusSystem

/// Column sums of a product's result. Each task of the product sums its own rows while they are in a cache. The sums
/// have the same bits as a reduction of the stored result: the tasks, like the reduction, first add groups of
/// `ReductionShape.linesAtOnce` lines (rows of the product). Bias gradients are such column sums.
final class ColumnSums {
  /// One sum for each column; valid from the end of the product until the reduction.
  let results: UnsafeMutableRawPointer
  var resultByteCount: Int { width * size }
  /// Bytes that the product's tasks share.
  var sharedByteCount: Int { roundUp(groupCount * width * size, toMultipleOf: 64) }

  private let value: Int
  private let width: Int
  private let size: Int
  private let shape: ReductionShape
  private let reducer: csimd_reducer
  private static let lines = ReductionShape.linesAtOnce

  /// - Parameter value: the product's result, `shape.reducedCount` lines of `shape.keptCount` elements of type `lane`.
  init(of value: Int, _ lane: Lane, _ shape: ReductionShape, _ reducer: csimd_reducer) {
    self.value = value
    self.shape = shape
    self.reducer = reducer
    (width, size) = (shape.keptCount, lane.byteCount)
    results = .allocate(byteCount: width * size, alignment: 64)
  }

  deinit { results.deallocate() }

  private var groupCount: Int { ceilDivide(shape.reducedCount, Self.lines) }

  /// Sums the columns of a stored tile. The tile's rows must begin where a group of lines begins, and end where a group
  /// or the product ends.
  func take(
    rows: Range<Int>, columns: Range<Int>, _ frame: RunFrame, shared: UnsafeMutableRawPointer
  ) {
    let source = frame.values[value]! + columns.lowerBound * size
    for first in stride(from: rows.lowerBound, to: rows.upperBound, by: Self.lines) {
      let target = shared + (first / Self.lines * width + columns.lowerBound) * size
      reducer.begin_columns(columns.count, target, nil)
      reducer.take_lines(
        columns.count, target, source + first * width * size, width * size, min(Self.lines, rows.upperBound - first))
    }
  }

  /// Combines the sums of all tiles. The lines are split into the same parts, and added in the same order, as in the
  /// reduction.
  func finish(_ pool: ThreadPool, shared: UnsafeMutableRawPointer) {
    let grain = max(16, TaskLimits.elementCount / max(1, groupCount) / 16 * 16)
    let (levels, parts) = (shape.columnArrayCount - 1, shape.partCount)
    pool.run(ceilDivide(width, grain)) { task, _ in
      let start = task * grain
      let count = min(grain, width - start)
      let distance = grain * size
      // The cascade levels of each part; at the end, the lowest level of a part contains its sums.
      withUnsafeTemporaryAllocation(byteCount: parts * levels * distance, alignment: 64) { scratch in
        func numbers(_ part: Int) -> UnsafeMutableRawPointer { scratch.baseAddress! + part * levels * distance }
        withUnsafePointer(to: reducer) { raw in
          for number in 0..<parts {
            let (part, target) = (shape.part(number), numbers(number))
            reducer.begin_columns(count, target, nil)
            var groups: Int64 = 0
            for line in stride(from: Int(part.lower), to: Int(part.upper), by: Self.lines) {
              reducer.merge_columns(count, target, nil, shared + (line / Self.lines * width + start) * size, nil)
              groups += 1
              csimd_carry_columns(raw, count, target, distance, groups)
            }
            csimd_total_columns(raw, count, target, distance, groups)
          }
        }
        var span = 1
        while span < parts {
          for part in stride(from: 0, to: parts - span, by: 2 * span) {
            reducer.merge_columns(count, numbers(part), nil, numbers(part + span), nil)
          }
          span *= 2
        }
        (results + start * size).copyMemory(from: scratch.baseAddress!, byteCount: count * size)
      }
    }
  }
}

extension [any CPUStep] {
  /// Lets products compute the column sums that later reductions of their results need.
  func joinColumnSums(_ plan: Plan) {
    var writers: [Int: Int] = [:]
    for (index, planned) in plan.steps.enumerated() {
      if let reduction = self[index] as? ReductionStep, let source = reduction.columnSource,
        // Larger results are written with non-temporal stores, so their rows are not in a cache.
        plan.values[source.value].byteCount < CacheLimits.stepByteCount,
        let writer = writers[source.value], let product = self[writer] as? FloatMatmulStep,
        product.gives(source.value, rows: source.shape.reducedCount, columns: source.shape.keptCount)
      {
        product.add(reduction.sumsOfProduct(source.value))
      }
      for value in planned.step.results { writers[value] = index }
    }
  }
}
