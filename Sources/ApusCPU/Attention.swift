import ApusDevice
import CSIMD

/// Attention, block of queries by block of queries: the weights of a block of keys are worked out, used and forgotten
/// (Dao et al., 2022), with the running peak and sum of each row (Milakov, Gimelshein, 2018).
final class AttentionStep: CPUStep {
  let workspaceByteCount: Int
  private let step: Attention
  private let blocks: AttentionBlocks

  init(_ step: Attention, _ builder: StepBuilder) {
    self.step = step
    blocks = AttentionBlocks(step, builder)
    workspaceByteCount = (blocks.weightByteCount + 63) & ~63 + blocks.rowByteCount + blocks.wordByteCount
  }

  func run(_ context: borrowing RunContext) {
    let g = step.geometry
    let pieces = g.queries.pieces(of: AttentionBlocks.queryBlock)
    let (frame, workspaces) = (context.frame, context.workspaces)
    let result = context.address(step.result)
    context.pool.run(g.batch * g.heads * pieces.count) { task, worker in
      let (line, piece) = task.quotientAndRemainder(dividingBy: pieces.count)
      self.run(line, pieces[piece], result, frame, workspaces[worker])
    }
  }

  /// Some queries of a head.
  private func run(
    _ line: Int, _ queries: Range<Int>, _ result: UnsafeMutableRawPointer, _ frame: RunFrame,
    _ workspace: UnsafeMutableRawPointer
  ) {
    let g = step.geometry
    let size = blocks.lane.byteCount
    let (batch, head) = line.quotientAndRemainder(dividingBy: g.heads)
    let group = head / (g.heads / g.groups)
    let products = workspace
    let sums = workspace + (blocks.weightByteCount + 63) & ~63
    let words = sums + blocks.rowByteCount
    let first = line * g.queries + queries.lowerBound
    let output = result + first * g.width * size
    let peaks = result + (g.batch * g.heads * g.queries * g.width + first) * size
    fill(peaks, queries.count, -.infinity)
    fill(sums, queries.count, 0)
    fill(output, queries.count * g.width, 0)
    let offset = blocks.offset(frame)
    let query = blocks.rows(step.query, batch, head, from: queries.lowerBound, frame)
    var block = blocks.block(batch, head, queries: queries, keys: 0..<0, offset: offset, words: words, frame)
    for keys in blocks.reach(queries.upperBound, offset).pieces(of: AttentionBlocks.keyBlock) {
      var key = blocks.rows(step.key, batch, group, from: keys.lowerBound, frame)
      key.order.isTransposed = true
      blocks.product.multiply(
        m: queries.count, n: keys.count, k: g.size, query, key, products, leading: blocks.stride)
      block = blocks.block(batch, head, queries: queries, keys: keys, offset: offset, words: words, frame)
      blocks.pick(\.attention_weights)(&block, products, peaks, sums, output)
      blocks.product.multiply(
        m: queries.count, n: g.width, k: keys.count, MatrixProduct.Factor(products, leading: blocks.stride),
        blocks.rows(step.value, batch, group, from: keys.lowerBound, frame), output, leading: g.width,
        accumulates: true)
    }
    blocks.pick(\.attention_finish)(&block, sums, peaks, output)
  }

  private func fill(_ target: UnsafeMutableRawPointer, _ count: Int, _ value: Float) {
    if blocks.lane == .float32 {
      target.assumingMemoryBound(to: Float.self).update(repeating: value, count: count)
    } else {
      target.assumingMemoryBound(to: Double.self).update(repeating: Double(value), count: count)
    }
  }
}
