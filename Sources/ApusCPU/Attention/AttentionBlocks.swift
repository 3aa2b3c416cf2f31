import ApusDevice
import ApusCSIMD
import ApusSystem

/// What both passes of attention share: the operands, the masks, and the blocks of queries and keys.
///
/// The split into blocks depends only on the shape, and a task accumulates its blocks in order. So the results do not
/// depend on the number of threads.
struct AttentionBlocks {
  /// The number of queries of a task.
  static let queryBlock = 128
  /// The number of keys of a block. A task packs the keys of a block once for all queries of the task.
  static let keyBlock = 256
  /// The number of queries of a block. It is small, because each query of a block is multiplied by all keys that the
  /// last query of the block may attend to. In causal attention, the earlier queries may attend to fewer keys.
  private static let rowBlock = 36

  let geometry: Attention.Geometry
  let lane: Lane
  let product: SmallProduct
  private let step: Attention
  private let table: UnsafePointer<csimd_table>

  init(_ step: Attention, _ builder: StepBuilder) {
    self.step = step
    geometry = step.geometry
    lane = step.dtype.lane
    product = SmallProduct(lane, builder)
    table = builder.loops
  }

  /// The number of keys of a block: `keyBlock`, or all keys if there are fewer.
  var keysOfBlock: Int { min(geometry.keys, Self.keyBlock) }
  /// The row stride of the attention weights of a block, in elements.
  var stride: Int { roundUp(keysOfBlock, toMultipleOf: 16) }
  /// The number of queries of a block: `rowBlock`, or all queries if there are fewer.
  var queriesOfBlock: Int { min(geometry.queries, Self.rowBlock) }
  /// Bytes of the weights of a block, padded for the last vector.
  var weightByteCount: Int { (queriesOfBlock * stride + 16) * lane.byteCount }
  /// Bytes of an array with one value for each query of a task.
  var rowByteCount: Int { roundUp(min(geometry.queries, Self.queryBlock) * lane.byteCount, toMultipleOf: 64) }

  /// The blocks of a task's queries.
  func rowBlocks(_ queries: Range<Int>) -> [Range<Int>] {
    queries.count.pieces(of: Self.rowBlock).map {
      (queries.lowerBound + $0.lowerBound)..<(queries.lowerBound + $0.upperBound)
    }
  }

  /// Bytes of the random words with which dropout drops weights in one row of a block.
  var wordByteCount: Int { step.dropout == nil ? 0 : (keysOfBlock + 16) * 4 }

  /// The address of a row in one head of an operand, and the row stride.
  func rows(_ operand: Operand, _ batch: Int, _ head: Int, from row: Int, _ context: RunFrame) -> SmallProduct.Factor {
    let strides = operand.layout.strides
    let position = operand.layout.offset + batch * strides[0] + head * strides[1] + row * strides[2]
    let leading = max(operand.layout.shape[2] == 1 ? 0 : strides[2], operand.layout.shape[3], 1)
    let base = context.values[operand.value]! + position * lane.byteCount
    return SmallProduct.Factor(pointer: base, row: leading, column: 1)
  }

  /// The index of the key at the position of the first query: the last key that this query may attend to. If attention
  /// is not causal, the number of keys.
  func offset(_ context: RunFrame) -> Int {
    guard step.isCausal else { return geometry.keys }
    guard let offset = step.offset else { return 0 }
    return Int(clamping: context.values[offset]!.load(as: Int64.self)).clamped(to: geometry.queries + geometry.keys)
  }

  /// The number of keys that at least one of the queries before `end` may attend to.
  func reach(_ end: Int, _ offset: Int) -> Int { max(0, min(geometry.keys, end + offset)) }

  /// Describes the weights of a range of queries and keys of one head.
  /// - Parameter words: a buffer of `wordByteCount` bytes.
  func block(
    _ batch: Int, _ head: Int, queries: Range<Int>, keys: Range<Int>, offset: Int, words: UnsafeMutableRawPointer,
    _ context: RunFrame
  ) -> csimd_weights {
    var result = csimd_weights()
    result.rows = queries.count
    result.keys = keys.count
    result.stride = stride
    result.first_end = Int64(queries.lowerBound + offset + 1 - keys.lowerBound)
    result.scale = step.scale
    result.width = geometry.width
    result.output_stride = geometry.width
    let first = [batch, head, queries.lowerBound, keys.lowerBound]
    if let mask = step.mask {
      let position = mask.layout.position(first)
      result.mask = UnsafePointer((context.values[mask.value]! + position).assumingMemoryBound(to: UInt8.self))
      (result.mask_row, result.mask_step) = (mask.layout.strides[2], mask.layout.strides[3])
    }
    if let added = step.added {
      result.added = UnsafeRawPointer(context.values[added.value]! + added.layout.position(first) * lane.byteCount)
      (result.added_row, result.added_step) = (added.layout.strides[2], added.layout.strides[3])
    }
    result.kept_factor = 1
    if let dropout = step.dropout {
      result.words = words.assumingMemoryBound(to: UInt32.self)
      result.first_word = UInt64(Layout(contiguous: geometry.weights).position(first))
      result.word_row = UInt64(geometry.keys)
      result.seed = UInt64(bitPattern: context.integer(dropout.seed))
      result.counter = UInt64(bitPattern: context.integer(dropout.counter))
      result.bound = UInt32(dropout.bound)
      result.kept_factor = dropout.factor
    }
    return result
  }

  /// The function for the arithmetic type (lane) of the operands.
  func pick<F>(_ functions: KeyPath<csimd_table, (F?, F?)>) -> F { lane.entry(of: table.pointee[keyPath: functions]) }
}

extension Layout {
  /// The offset of an element.
  fileprivate func position(_ index: [Int]) -> Int { zip(index, strides).reduce(offset) { $0 + $1.0 * $1.1 } }
}

extension Int {
  fileprivate func clamped(to limit: Int) -> Int { Swift.min(Swift.max(self, -limit), limit) }
}

extension Int {
  /// Splits `0 ..< self` into ranges of `size`; the last may be shorter.
  func pieces(of size: Int) -> [Range<Int>] {
    Swift.stride(from: 0, to: self, by: size).map { $0..<Swift.min($0 + size, self) }
  }
}
