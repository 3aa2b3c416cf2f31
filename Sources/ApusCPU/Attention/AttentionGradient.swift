import ApusDevice
import ApusCSIMD
import ApusSystem

/// The gradients of attention. A task computes the gradients for one head of keys and values, and for all heads of
/// queries that share this head. The weights `P` are recomputed from the scores `s` of the unmasked keys (see
/// `Attention`) and from `L`, the log-sum-exp of each query in the forward pass (Dao et al., 2022). With `S = Q Kᵀ`:
/// ```text
/// P = exp(s − L),  dV = (F ∘ P)ᵀ dY,  dS = scale · P ∘ (F ∘ dY Vᵀ − D),
/// dQ = dS K,  dK = dSᵀ Q
/// ```
/// `dX` is the gradient of `X`, and `∘` multiplies element by element. `F` is the factor by which dropout multiplies
/// each weight, and `D` is, for each query, the dot product of its rows of `dY` and `Y`.
final class AttentionGradientStep: CPUStep {
  let workspaceByteCount: Int
  private let step: Attention
  private let blocks: AttentionBlocks
  private let forward: Int
  private let gradient: Operand
  private let keyByteCount: Int
  private let valueByteCount: Int
  private let columnByteCount: Int
  private let rowByteCount: Int
  private let weightByteCount: Int

  init(_ step: Attention, forward: Int, gradient: Operand, _ builder: StepBuilder) {
    self.step = step
    self.forward = forward
    self.gradient = gradient
    blocks = AttentionBlocks(step, builder)
    let g = step.geometry
    let product = blocks.product
    let queries = blocks.queriesOfBlock
    (keyByteCount, valueByteCount) = (
      product.columnByteCount(blocks.keysOfBlock, k: g.size), product.columnByteCount(blocks.keysOfBlock, k: g.width)
    )
    columnByteCount = max(
      product.columnByteCount(max(g.size, g.width), k: queries), product.columnByteCount(g.size, k: blocks.keysOfBlock))
    rowByteCount = max(
      product.rowByteCount(queries, k: max(g.size, g.width, blocks.keysOfBlock)),
      product.rowByteCount(blocks.keysOfBlock, k: queries))
    weightByteCount = roundUp(blocks.weightByteCount, toMultipleOf: 64)
    workspaceByteCount =
      2 * weightByteCount + blocks.rowByteCount + keyByteCount + valueByteCount + columnByteCount + rowByteCount
      + blocks.wordByteCount
  }

  /// The buffers in a thread's workspace: weights, their gradients, one dot product for each query, packed keys and
  /// values of a block, packed columns of other right factors, packed rows of left factors, random words for dropout.
  private struct Scratch {
    var weights: UnsafeMutableRawPointer
    var gradients: UnsafeMutableRawPointer
    var dots: UnsafeMutableRawPointer
    var keys: UnsafeMutableRawPointer
    var values: UnsafeMutableRawPointer
    var columns: UnsafeMutableRawPointer
    var rows: UnsafeMutableRawPointer
    var words: UnsafeMutableRawPointer
  }

  private func scratch(_ workspace: UnsafeMutableRawPointer) -> Scratch {
    let dots = workspace + 2 * weightByteCount
    let keys = dots + blocks.rowByteCount
    let values = keys + keyByteCount
    let columns = values + valueByteCount
    let rows = columns + columnByteCount
    return Scratch(
      weights: workspace, gradients: workspace + weightByteCount, dots: dots, keys: keys, values: values,
      columns: columns, rows: rows, words: rows + rowByteCount)
  }

  /// The addresses of three gradients: of the queries of one head, and of the keys and of the values, which several
  /// heads of queries share.
  private struct Targets {
    var query: UnsafeMutableRawPointer
    var key: UnsafeMutableRawPointer
    var value: UnsafeMutableRawPointer
  }

  func run(_ context: borrowing RunContext) {
    let g = step.geometry
    let size = blocks.lane.byteCount
    let (frame, workspaces) = (context.frame, context.workspaces)
    let base = context.address(step.result)
    let share = g.headsPerGroup
    context.pool.run(g.batch * g.groups) { line, worker in
      let (batch, group) = line.quotientAndRemainder(dividingBy: g.groups)
      var targets = Targets(
        query: base + line * share * g.queries * g.size * size,
        key: base + (g.query.elementCount + line * g.keys * g.size) * size,
        value: base + (g.query.elementCount + g.key.elementCount + line * g.keys * g.width) * size)
      self.clear(targets.query, share * g.queries * g.size)
      self.clear(targets.key, g.keys * g.size)
      self.clear(targets.value, g.keys * g.width)
      for head in (group * share)..<((group + 1) * share) {
        self.run(batch, head, targets, frame, self.scratch(workspaces[worker]))
        targets.query += g.queries * g.size * size
      }
    }
  }

  private func clear(_ target: UnsafeMutableRawPointer, _ count: Int) {
    target.initializeMemory(as: UInt8.self, repeating: 0, count: count * blocks.lane.byteCount)
  }

  private func run(_ batch: Int, _ head: Int, _ targets: Targets, _ frame: RunFrame, _ scratch: Scratch) {
    let g = step.geometry
    let size = blocks.lane.byteCount
    let offset = blocks.offset(frame)
    let group = g.group(of: head)
    let logarithms = frame.values[forward]! + g.output.elementCount * size
    for queries in g.queries.pieces(of: AttentionBlocks.queryBlock) {
      let first = (batch * g.heads + head) * g.queries + queries.lowerBound
      let outputGradient = blocks.rows(gradient, batch, head, from: queries.lowerBound, frame)
      blocks.pick(\.attention_dots)(
        queries.count, g.width, outputGradient.pointer, outputGradient.row,
        frame.values[forward]! + first * g.width * size, g.width,
        scratch.dots)
      for keys in blocks.reach(queries.upperBound, offset).pieces(of: AttentionBlocks.keyBlock) {
        let key = blocks.rows(step.key, batch, group, from: keys.lowerBound, frame)
        let value = blocks.rows(step.value, batch, group, from: keys.lowerBound, frame)
        let columns = (
          key: blocks.product.columns(keys.count, k: g.size, key.transposed, scratch: scratch.keys),
          value: blocks.product.columns(keys.count, k: g.width, value.transposed, scratch: scratch.values)
        )
        for rows in blocks.rowBlocks(queries) {
          let reached = keys.lowerBound..<min(keys.upperBound, blocks.reach(rows.upperBound, offset))
          guard !reached.isEmpty else { continue }
          let block = blocks.block(
            batch, head, queries: rows, keys: reached, offset: offset, words: scratch.words, frame)
          let row = rows.lowerBound - queries.lowerBound
          var moved = scratch
          moved.dots += row * size
          attend(
            block, logarithms + (first + row) * size, columns, moved,
            Rows(
              query: blocks.rows(step.query, batch, head, from: rows.lowerBound, frame), key: key,
              outputGradient: blocks.rows(gradient, batch, head, from: rows.lowerBound, frame)),
            Targets(
              query: targets.query + rows.lowerBound * g.size * size,
              key: targets.key + keys.lowerBound * g.size * size,
              value: targets.value + keys.lowerBound * g.width * size))
        }
      }
    }
  }

  /// The addresses of the queries, of the keys and of the output gradients of a block.
  private struct Rows {
    var query: SmallProduct.Factor
    var key: SmallProduct.Factor
    var outputGradient: SmallProduct.Factor
  }

  /// Adds the contribution of a block to the gradients at the addresses in `targets`. The queries, keys and output
  /// gradients of the block begin at the addresses in `rows`.
  private func attend(
    _ block: csimd_weights, _ logarithms: UnsafeMutableRawPointer,
    _ columns: (key: SmallProduct.Columns, value: SmallProduct.Columns), _ scratch: Scratch, _ rows: Rows,
    _ targets: Targets
  ) {
    let g = step.geometry
    let product = blocks.product
    let (queries, keys) = (block.rows, block.keys)
    let weights = SmallProduct.Factor(pointer: scratch.weights, row: blocks.stride, column: 1)
    let gradients = SmallProduct.Factor(pointer: scratch.gradients, row: blocks.stride, column: 1)
    product.multiply(
      m: queries, n: keys, k: g.size, rows.query, columns.key, scratch.weights, leading: blocks.stride,
      accumulates: false, scratch: scratch.rows)
    product.multiply(
      m: queries, n: keys, k: g.width, rows.outputGradient, columns.value, scratch.gradients, leading: blocks.stride,
      accumulates: false, scratch: scratch.rows)
    withUnsafePointer(to: block) {
      blocks.pick(\.attention_gradients)($0, logarithms, scratch.dots, scratch.weights, scratch.gradients)
    }
    product.multiply(
      m: keys, n: g.width, k: queries, weights.transposed,
      product.columns(g.width, k: queries, rows.outputGradient, scratch: scratch.columns), targets.value,
      leading: g.width,
      accumulates: true, scratch: scratch.rows)
    product.multiply(
      m: queries, n: g.size, k: keys, gradients, product.columns(g.size, k: keys, rows.key, scratch: scratch.columns),
      targets.query, leading: g.size, accumulates: true, scratch: scratch.rows)
    product.multiply(
      m: keys, n: g.size, k: queries, gradients.transposed,
      product.columns(g.size, k: queries, rows.query, scratch: scratch.columns), targets.key, leading: g.size,
      accumulates: true, scratch: scratch.rows)
  }
}
