import ApusDevice
import ApusCSIMD
import ApusSystem

/// Attention computed in blocks of queries and keys: the weights of each block are computed, used and discarded
/// (Dao et al., 2022). The softmax keeps a running maximum and sum for each query (Milakov, Gimelshein, 2018).
final class AttentionStep: CPUStep {
  let workspaceByteCount: Int
  private let step: Attention
  private let blocks: AttentionBlocks
  /// Bytes of the packed keys and values of a block.
  private let keyByteCount: Int
  private let valueByteCount: Int
  private let rowByteCount: Int
  private let weightByteCount: Int

  /// The buffers in a thread's workspace: weights, the sum of the weights of each query, packed keys and values of a
  /// block, packed rows of a product's left factor, random words for dropout.
  private struct Scratch {
    var weights: UnsafeMutableRawPointer
    var sums: UnsafeMutableRawPointer
    var keys: UnsafeMutableRawPointer
    var values: UnsafeMutableRawPointer
    var rows: UnsafeMutableRawPointer
    var words: UnsafeMutableRawPointer
  }

  /// The addresses of the output, running maxima and sums of a block of queries.
  private struct Rows {
    var output: UnsafeMutableRawPointer
    var maxima: UnsafeMutableRawPointer
    var sums: UnsafeMutableRawPointer
  }

  init(_ step: Attention, _ builder: StepBuilder) {
    self.step = step
    blocks = AttentionBlocks(step, builder)
    let g = step.geometry
    (keyByteCount, valueByteCount) = (
      blocks.product.columnByteCount(blocks.keysOfBlock, k: g.size),
      blocks.product.columnByteCount(g.width, k: blocks.keysOfBlock)
    )
    rowByteCount = blocks.product.rowByteCount(blocks.queriesOfBlock, k: max(g.size, blocks.keysOfBlock))
    weightByteCount = roundUp(blocks.weightByteCount, toMultipleOf: 64)
    workspaceByteCount =
      weightByteCount + blocks.rowByteCount + keyByteCount + valueByteCount + rowByteCount + blocks.wordByteCount
  }

  private func scratch(_ workspace: UnsafeMutableRawPointer) -> Scratch {
    let sums = workspace + weightByteCount
    let keys = sums + blocks.rowByteCount
    let values = keys + keyByteCount
    let rows = values + valueByteCount
    return Scratch(weights: workspace, sums: sums, keys: keys, values: values, rows: rows, words: rows + rowByteCount)
  }

  func run(_ context: borrowing RunContext) {
    let g = step.geometry
    let pieces = g.queries.pieces(of: AttentionBlocks.queryBlock)
    let (frame, workspaces) = (context.frame, context.workspaces)
    let result = context.address(step.result)
    context.pool.run(g.batch * g.heads * pieces.count) { task, worker in
      let (line, piece) = task.quotientAndRemainder(dividingBy: pieces.count)
      self.run(line, pieces[piece], result, frame, self.scratch(workspaces[worker]))
    }
  }

  /// Computes the output of a range of queries of one head; `line` is the index of the head in `[batch, heads]`.
  private func run(
    _ line: Int, _ queries: Range<Int>, _ result: UnsafeMutableRawPointer, _ frame: RunFrame, _ scratch: Scratch
  ) {
    let g = step.geometry
    let size = blocks.lane.byteCount
    let (batch, head) = line.quotientAndRemainder(dividingBy: g.heads)
    let group = g.group(of: head)
    let first = line * g.queries + queries.lowerBound
    let output = result + first * g.width * size
    let maxima = result + (g.batch * g.heads * g.queries * g.width + first) * size
    fill(maxima, queries.count, -.infinity)
    fill(scratch.sums, queries.count, 0)
    fill(output, queries.count * g.width, 0)
    let offset = blocks.offset(frame)
    for keys in blocks.reach(queries.upperBound, offset).pieces(of: AttentionBlocks.keyBlock) {
      let key = blocks.rows(step.key, batch, group, from: keys.lowerBound, frame).transposed
      let value = blocks.rows(step.value, batch, group, from: keys.lowerBound, frame)
      let columns = (
        key: blocks.product.columns(keys.count, k: g.size, key, scratch: scratch.keys),
        value: blocks.product.columns(g.width, k: keys.count, value, scratch: scratch.values)
      )
      for rows in blocks.rowBlocks(queries) {
        let reached = keys.lowerBound..<min(keys.upperBound, blocks.reach(rows.upperBound, offset))
        guard !reached.isEmpty else { continue }
        let query = blocks.rows(step.query, batch, head, from: rows.lowerBound, frame)
        let block = blocks.block(batch, head, queries: rows, keys: reached, offset: offset, words: scratch.words, frame)
        let row = rows.lowerBound - queries.lowerBound
        attend(
          block, query, columns,
          Rows(output: output + row * g.width * size, maxima: maxima + row * size, sums: scratch.sums + row * size),
          scratch)
      }
    }
    var whole = csimd_weights()
    (whole.rows, whole.width, whole.output_stride) = (queries.count, g.width, g.width)
    whole.kept_factor = step.dropout?.factor ?? 1
    blocks.pick(\.attention_finish)(&whole, scratch.sums, maxima, output)
  }

  /// Adds the contribution of a block of keys to the output of a block of queries.
  private func attend(
    _ block: csimd_weights, _ query: SmallProduct.Factor,
    _ columns: (key: SmallProduct.Columns, value: SmallProduct.Columns), _ rows: Rows, _ scratch: Scratch
  ) {
    let g = step.geometry
    blocks.product.multiply(
      m: block.rows, n: block.keys, k: g.size, query, columns.key, scratch.weights, leading: blocks.stride,
      accumulates: false, scratch: scratch.rows)
    withUnsafePointer(to: block) {
      blocks.pick(\.attention_weights)($0, scratch.weights, rows.maxima, rows.sums, rows.output)
    }
    blocks.product.multiply(
      m: block.rows, n: g.width, k: block.keys,
      SmallProduct.Factor(pointer: scratch.weights, row: blocks.stride, column: 1), columns.value, rows.output,
      leading: g.width, accumulates: true, scratch: scratch.rows)
  }

  private func fill(_ target: UnsafeMutableRawPointer, _ count: Int, _ value: Float) {
    if blocks.lane == .float32 {
      target.assumingMemoryBound(to: Float.self).update(repeating: value, count: count)
    } else {
      target.assumingMemoryBound(to: Double.self).update(repeating: Double(value), count: count)
    }
  }
}
