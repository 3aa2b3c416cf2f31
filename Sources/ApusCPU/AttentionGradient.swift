import ApusDevice
import CSIMD

/// The gradients of attention, head of keys by head of keys; weights are worked out a second time from the logarithms
/// of their sums (Dao et al., 2022):
/// ```
/// P = exp(scale · Q Kᵀ − log),  dV = (F · P)ᵀ dY,  dS = scale · P · (F · dY Vᵀ − rows of dY · Y),  dQ = dS K,  dK = dSᵀ Q
/// ```
/// `F` is what dropout multiplies weights by.
final class AttentionGradientStep: CPUStep {
  let workspaceByteCount: Int
  private let step: Attention
  private let blocks: AttentionBlocks
  private let forward: Int
  private let gradient: Operand

  init(_ step: Attention, forward: Int, gradient: Operand, _ builder: StepBuilder) {
    self.step = step
    self.forward = forward
    self.gradient = gradient
    blocks = AttentionBlocks(step, builder)
    workspaceByteCount = 2 * ((blocks.weightByteCount + 63) & ~63) + blocks.rowByteCount + blocks.wordByteCount
  }

  /// Where the gradients of a head and its group begin.
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
    let share = g.heads / g.groups
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
        self.run(batch, head, targets, frame, workspaces[worker])
        targets.query += g.queries * g.size * size
      }
    }
  }

  private func clear(_ target: UnsafeMutableRawPointer, _ count: Int) {
    target.initializeMemory(as: UInt8.self, repeating: 0, count: count * blocks.lane.byteCount)
  }

  private func run(
    _ batch: Int, _ head: Int, _ targets: Targets, _ frame: RunFrame, _ workspace: UnsafeMutableRawPointer
  ) {
    let g = step.geometry
    let size = blocks.lane.byteCount
    let offset = blocks.offset(frame)
    let dots = workspace + 2 * ((blocks.weightByteCount + 63) & ~63)
    let logarithms = frame.values[forward]! + g.output.elementCount * size
    for queries in g.queries.pieces(of: AttentionBlocks.queryBlock) {
      let first = (batch * g.heads + head) * g.queries + queries.lowerBound
      let slope = blocks.rows(gradient, batch, head, from: queries.lowerBound, frame)
      blocks.pick(\.attention_dots)(
        queries.count, g.width, slope.pointer, slope.order.leading, frame.values[forward]! + first * g.width * size,
        g.width,
        dots)
      for keys in blocks.reach(queries.upperBound, offset).pieces(of: AttentionBlocks.keyBlock) {
        var block = blocks.block(
          batch, head, queries: queries, keys: keys, offset: offset, words: dots + blocks.rowByteCount, frame)
        run(&block, batch, head, queries, keys, targets, logarithms + first * size, dots, frame, workspace)
      }
    }
  }

  private func run(
    _ block: inout csimd_weights, _ batch: Int, _ head: Int, _ queries: Range<Int>, _ keys: Range<Int>,
    _ targets: Targets, _ logarithms: UnsafeMutableRawPointer, _ dots: UnsafeMutableRawPointer, _ frame: RunFrame,
    _ workspace: UnsafeMutableRawPointer
  ) {
    let g = step.geometry
    let size = blocks.lane.byteCount
    let group = head / (g.heads / g.groups)
    let query = blocks.rows(step.query, batch, head, from: queries.lowerBound, frame)
    let key = blocks.rows(step.key, batch, group, from: keys.lowerBound, frame)
    let value = blocks.rows(step.value, batch, group, from: keys.lowerBound, frame)
    let slope = blocks.rows(gradient, batch, head, from: queries.lowerBound, frame)
    let weights = MatrixProduct.Factor(workspace, leading: blocks.stride)
    let slopes = MatrixProduct.Factor(workspace + (blocks.weightByteCount + 63) & ~63, leading: blocks.stride)
    let product = blocks.product
    product.multiply(
      m: queries.count, n: keys.count, k: g.size, query, key.transposed, weights.pointer, leading: blocks.stride)
    product.multiply(
      m: queries.count, n: keys.count, k: g.width, slope, value.transposed, slopes.pointer, leading: blocks.stride)
    blocks.pick(\.attention_gradients)(&block, logarithms, dots, weights.pointer, slopes.pointer)
    product.multiply(
      m: keys.count, n: g.width, k: queries.count, weights.transposed, slope,
      targets.value + keys.lowerBound * g.width * size, leading: g.width, accumulates: true)
    product.multiply(
      m: queries.count, n: g.size, k: keys.count, slopes, key,
      targets.query + queries.lowerBound * g.size * size, leading: g.size, accumulates: true)
    product.multiply(
      m: keys.count, n: g.size, k: queries.count, slopes.transposed, query,
      targets.key + keys.lowerBound * g.size * size, leading: g.size, accumulates: true)
  }
}

extension MatrixProduct.Factor {
  /// The same matrix with its axes exchanged.
  fileprivate var transposed: MatrixProduct.Factor {
    MatrixProduct.Factor(pointer, order.turned)
  }
}
