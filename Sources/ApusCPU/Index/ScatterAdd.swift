import ApusDevice
import ApusCSIMD
import ApusSystem

/// `result[o, indices[o, j, i], i] += source[o, j, i]`, in ascending order of `j`. The row `k` of the result, for one
/// `o`, is `result[o, k, …]`.
///
/// A task computes a range of rows of the result. It traverses all indices or, if the indices are sorted, only the
/// indices of its rows, and adds the terms of its rows. One task adds all terms of an element, so the order of
/// summation does not depend on the split into tasks. Long floating-point sums are cascades of short chains of
/// additions (`SumChains`).
final class ScatterAddStep: CPUStep {
  let workspaceByteCount: Int
  let sharedByteCount: Int
  private let step: ScatterAdd
  private let indices: IndexReader
  private let names: [String]
  private let add: csimd_loop
  private let load: csimd_load
  private let store: csimd_store
  private let lane: Lane
  private let partCount: Int
  /// Whether sums are floating-point numbers and may have more terms than a chain.
  private let hasChains: Bool
  /// The offset of the memory of `SumChains` (term counts and block indices) in the shared memory.
  private let countsOffset: Int

  init(_ step: ScatterAdd, _ builder: StepBuilder, names: [String]) throws(DeviceError) {
    self.step = step
    self.names = names
    lane = step.dtype.lane
    indices = IndexReader(step.indices, extent: step.extent, builder)
    add = try builder.row(.add, lane)
    load = csimd_find_load(builder.loops, Int32(step.dtype.rawValue))
    store = csimd_find_store(builder.loops, Int32(step.dtype.rawValue))
    // The rows of the result are divided into parts; a task computes one part. There are few parts, because each task
    // reads all indices unless they are sorted.
    partCount = max(1, min(step.extent, min(16, step.count * step.inner / TaskLimits.elementCount)))
    workspaceByteCount = step.inner * lane.byteCount + 64
    // Narrow types, such as `float16`, are summed in their lane (arithmetic type). These sums are in the shared memory,
    // before the counts.
    countsOffset =
      step.dtype.isLane ? 0 : roundUp(step.outer * step.extent * step.inner * lane.byteCount, toMultipleOf: 64)
    hasChains = lane.dtype.isFloatingPoint && step.count > SumCascade.chain
    let sumsPerRow = indices.servesRows ? 1 : step.inner
    sharedByteCount =
      countsOffset + (hasChains ? SumChains.byteCount(step.outer * step.extent * sumsPerRow) : 0)
  }

  func run(_ context: borrowing RunContext) throws(DeviceError) {
    guard step.outer * step.extent * step.inner > 0 else {
      if step.count * step.outer * step.inner > 0 {
        throw indices.failure(step.indexList, context.address(indices.value), names)
      }
      return
    }
    let failures = FailureFlags(workers: context.pool.threadCount)
    let result = context.address(step.result)
    let sums = step.dtype.isLane ? result : context.shared
    let (source, base) = (context.address(step.source), context.address(indices.value))
    let workspaces = context.workspaces
    context.pool.run(step.outer * partCount) { task, worker in
      let (outer, part) = task.quotientAndRemainder(dividingBy: partCount)
      let rows = partRange(part, of: partCount, count: step.extent)
      let first = (outer * step.extent + rows.lowerBound) * step.inner
      (sums + first * lane.byteCount).initializeMemory(
        as: UInt8.self, repeating: 0, count: rows.count * step.inner * lane.byteCount)
      var chains = self.chains(outer, rows, context.shared)
      if step.isSorted, !ascends(outer, part, base) {
        failures.raise(worker)
      } else if !accumulate(outer, rows, source, base, sums, workspaces[worker], &chains) {
        failures.raise(worker)
      }
      let width = indices.servesRows ? step.inner : 1
      chains?.finish(sums + first * lane.byteCount) { addRow($0, $1, width) }
      if !step.dtype.isLane {
        store(
          rows.count * step.inner, result + first * step.dtype.byteCount, 1,
          sums + first * lane.byteCount, 0)
      }
    }
    if failures.isRaised { throw indices.failure(step.indexList, base, names) }
  }

  /// The chains for the sums of a range of rows; `nil` for integers, and if sums have at most one chain.
  private func chains(_ outer: Int, _ rows: Range<Int>, _ shared: UnsafeMutableRawPointer)
    -> SumChains?
  {
    guard hasChains else { return nil }
    let (sumsPerRow, width) = indices.servesRows ? (1, step.inner) : (step.inner, 1)
    let first = (outer * step.extent + rows.lowerBound) * sumsPerRow
    return SumChains(
      at: shared + countsOffset + SumChains.byteCount(first), unitCount: rows.count * sumsPerRow,
      termCount: step.count, byteCount: width * lane.byteCount)
  }

  /// Adds the source's rows whose indices are in `rows`; `false` if an index is out of range.
  private func accumulate(
    _ outer: Int, _ rows: Range<Int>, _ source: UnsafeMutableRawPointer,
    _ base: UnsafeMutableRawPointer, _ sums: UnsafeMutableRawPointer,
    _ row: UnsafeMutableRawPointer,
    _ chains: inout SumChains?
  ) -> Bool {
    var isFine = true
    let size = lane.byteCount
    for entry in (step.isSorted ? firstEntry(of: rows.lowerBound, outer, base) : 0)..<step.count {
      let from = source + (outer * step.count + entry) * step.inner * step.dtype.byteCount
      if indices.servesRows {
        guard let index = indices.read(base, indices.position(outer, entry)) else {
          isFine = false
          continue
        }
        if step.isSorted, index >= rows.upperBound { break }
        guard rows.contains(index) else { continue }
        load(step.inner, row, from, 1)
        let sum = sums + (outer * step.extent + index) * step.inner * size
        addRow(sum, row, step.inner)
        chains?.note(index - rows.lowerBound, sum) { addRow($0, $1, step.inner) }
      } else {
        load(step.inner, row, from, 1)
        for i in 0..<step.inner {
          let position = indices.position(outer, entry) + i * indices.layout.strides[2]
          guard let index = indices.read(base, position) else {
            isFine = false
            continue
          }
          guard rows.contains(index) else { continue }
          let sum = sums + ((outer * step.extent + index) * step.inner + i) * size
          addRow(sum, row + i * size, 1)
          chains?.note((index - rows.lowerBound) * step.inner + i, sum) { addRow($0, $1, 1) }
        }
      }
    }
    return isFine
  }

  /// The position of the first index that is `row` or more; indices must be sorted.
  private func firstEntry(of row: Int, _ outer: Int, _ base: UnsafeMutableRawPointer) -> Int {
    (0..<step.count).partitionPoint { entry in
      // An index that is out of range is reported by the task that checks it (`ascends`).
      guard let index = indices.read(base, indices.position(outer, entry)) else { return false }
      return index < row
    }
  }

  /// Divides the list of indices, like the rows of the result, into `partCount` parts. Returns whether the indices of
  /// a part, and the first index of the next part, are in range and in ascending order.
  private func ascends(_ outer: Int, _ part: Int, _ base: UnsafeMutableRawPointer) -> Bool {
    var last = 0
    let own = partRange(part, of: partCount, count: step.count)
    for entry in own.lowerBound..<min(own.upperBound + 1, step.count) {
      guard let index = indices.read(base, indices.position(outer, entry)), index >= last else {
        return false
      }
      last = index
    }
    return true
  }

  private func addRow(_ sum: UnsafeMutableRawPointer, _ row: UnsafeMutableRawPointer, _ count: Int) {
    if count == 1 {
      switch lane {
      case .float32: sum.assumingMemoryBound(to: Float.self).pointee += row.load(as: Float.self)
      case .float64: sum.assumingMemoryBound(to: Double.self).pointee += row.load(as: Double.self)
      case .int32: sum.assumingMemoryBound(to: Int32.self).pointee &+= row.load(as: Int32.self)
      case .int64: sum.assumingMemoryBound(to: Int64.self).pointee &+= row.load(as: Int64.self)
      }
      return
    }
    withUnsafeTemporaryAllocation(of: csimd_operand.self, capacity: 2) { operands in
      operands[0] = csimd_operand(data: sum, step: 1)
      operands[1] = csimd_operand(data: row, step: 1)
      add(count, sum, operands.baseAddress, nil)
    }
  }
}

/// Cascades of sums for terms that arrive one at a time (see `Kernels/reduce.def`). A chain adds at most
/// `SumCascade.chain` terms one after the other. The results of full chains are the terms of a chain of the next level,
/// and so on. The current chain of a sum is stored in the sum itself. Memory for the levels above is allocated when the
/// first chain of the sum is full. A sum is one element or, if each index selects a row, a row of elements.
struct SumChains {
  /// `counts[unit]`: the number of terms of the sum with index `unit`. `blocks[unit]`: 1 + the index in `memory` of the
  /// memory block that holds the levels of this sum; 0 if the sum has no block yet.
  private let counts: UnsafeMutablePointer<Int32>
  private let blocks: UnsafeMutablePointer<Int32>
  private let unitCount: Int
  private let byteCount: Int
  private let levels: Int
  private var memory: [UnsafeMutableRawPointer] = []
  private static var chain: Int { SumCascade.chain }

  /// Bytes of `counts` and `blocks` for `unitCount` sums.
  static func byteCount(_ unitCount: Int) -> Int { 2 * unitCount * MemoryLayout<Int32>.size }

  /// - Parameters:
  ///   - buffer: memory for `counts` and `blocks`.
  ///   - termCount: the maximum number of terms of a sum.
  ///   - byteCount: the size of a sum.
  init(at buffer: UnsafeMutableRawPointer, unitCount: Int, termCount: Int, byteCount: Int) {
    counts = buffer.bindMemory(to: Int32.self, capacity: 2 * unitCount)
    blocks = counts + unitCount
    counts.update(repeating: 0, count: 2 * unitCount)
    self.unitCount = unitCount
    self.byteCount = byteCount
    levels = SumCascade.levels(of: termCount / Self.chain)
  }

  /// Counts one more term of the sum with index `unit`. The caller has added the term to `sum`, the memory of the sum.
  /// If the chain in `sum` is full, adds the chain to the first level and sets `sum` to zero. If the chain of the first
  /// level is then full, it is added to the second level, and so on.
  mutating func note(
    _ unit: Int, _ sum: UnsafeMutableRawPointer,
    add: (_ target: UnsafeMutableRawPointer, _ source: UnsafeMutableRawPointer) -> Void
  ) {
    counts[unit] &+= 1
    guard counts[unit] % Int32(Self.chain) == 0 else { return }
    if blocks[unit] == 0 {
      let block = UnsafeMutableRawPointer.allocate(byteCount: levels * byteCount, alignment: 64)
      block.initializeMemory(as: UInt8.self, repeating: 0, count: levels * byteCount)
      memory.append(block)
      blocks[unit] = Int32(memory.count)
    }
    let block = memory[Int(blocks[unit]) - 1]
    var (terms, source) = (Int(counts[unit]), sum)
    for level in 0..<levels where terms % Self.chain == 0 {
      terms /= Self.chain
      let target = block + level * byteCount
      add(target, source)
      source.initializeMemory(as: UInt8.self, repeating: 0, count: byteCount)
      source = target
    }
  }

  /// Adds the levels of each sum to the sum, and frees the memory of the levels.
  consuming func finish(
    _ sums: UnsafeMutableRawPointer,
    add: (_ target: UnsafeMutableRawPointer, _ source: UnsafeMutableRawPointer) -> Void
  ) {
    guard !memory.isEmpty else { return }
    for unit in 0..<unitCount where blocks[unit] > 0 {
      let block = memory[Int(blocks[unit]) - 1]
      for level in 0..<levels { add(sums + unit * byteCount, block + level * byteCount) }
    }
    for block in memory { block.deallocate() }
  }
}
