import ApusDevice
import ApusCSIMD
import ApusSystem

/// The split of the batch into tasks, and the addresses of rows, for the forward and the backward pass of a recurrent
/// layer. A row is the part of an array that belongs to one sequence, at one time step.
///
/// A task processes all time steps of some of the sequences, so that no thread waits for another thread between time
/// steps. Sequences are independent, and each row of a product is independent of the other rows. So the split of the
/// batch may depend on the number of threads, but the results do not.
struct RecurrentRows {
  let geometry: Recurrent.Geometry
  let lane: Lane
  private let mask: Int?

  /// The maximum number of sequences of a task.
  static let limit = 32

  init(_ step: Recurrent) {
    geometry = step.geometry
    lane = step.dtype.lane
    mask = step.mask
  }

  /// The maximum number of sequences of a task: `limit`, or the whole batch if it is smaller.
  var most: Int { min(geometry.batch, Self.limit) }
  /// Bytes of one state vector.
  var byteCount: Int { geometry.size * lane.byteCount }

  /// Calls `body` for each task, with a range of sequences, the frame of the run (the addresses of the plan's values),
  /// and the workspace of the worker.
  func run(_ context: borrowing RunContext, _ body: (Range<Int>, RunFrame, UnsafeMutableRawPointer) -> Void) {
    let (frame, workspaces) = (context.frame, context.workspaces)
    let count = max(context.pool.threadCount, ceilDivide(geometry.batch, Self.limit))
    let tasks = geometry.batch.pieces(of: max(min(geometry.batch, 4), ceilDivide(geometry.batch, count)))
    context.pool.run(tasks.count) { task, worker in body(tasks[task], frame, workspaces[worker]) }
  }

  /// Whether a sequence has an element at a time step.
  func isHeld(_ time: Int, _ row: Int, _ frame: RunFrame) -> Bool {
    guard let mask else { return true }
    return (frame.values[mask]! + time * geometry.batch + row).load(as: UInt8.self) != 0
  }

  /// The address of a sequence's row at a time step, in an array with `width` state vectors per row.
  func row(_ base: UnsafeMutableRawPointer, _ time: Int, _ row: Int, width: Int = 1) -> UnsafeMutableRawPointer {
    base + (time * geometry.batch + row) * width * byteCount
  }

  func clear(_ target: UnsafeMutableRawPointer, states: Int) {
    target.initializeMemory(as: UInt8.self, repeating: 0, count: states * byteCount)
  }
}

/// The forward pass of a recurrent layer.
final class RecurrentStep: CPUStep {
  let workspaceByteCount: Int
  let sharedByteCount: Int
  private let step: Recurrent
  private let rows: RecurrentRows
  private let product: RepeatedRightProduct
  private let run: (UnsafePointer<csimd_cell>?) -> Void

  init(_ step: Recurrent, _ builder: StepBuilder) {
    self.step = step
    rows = RecurrentRows(step)
    let g = step.geometry
    product = RepeatedRightProduct(k: g.size, n: g.gates * g.size, uses: g.times * g.batch, rows.lane, builder)
    run = rows.lane.entry(of: builder.loops.pointee.cell_forward)
    sharedByteCount = product.sharedByteCount
    workspaceByteCount =
      product.resultByteCount(rows: rows.most) + product.scratchByteCount(rows: rows.most) + rows.most * rows.byteCount
  }

  func run(_ context: borrowing RunContext) {
    let panels = product.panels(of: context.address(step.weight), context)
    rows.run(context) { batch, frame, workspace in run(batch, panels, frame, workspace) }
  }

  /// Runs all time steps of a range of sequences.
  private func run(
    _ batch: Range<Int>, _ panels: csimd_panels, _ frame: RunFrame, _ workspace: UnsafeMutableRawPointer
  ) {
    let g = step.geometry
    let result = frame.values[step.result]!
    let products = workspace
    let scratch = products + product.resultByteCount(rows: rows.most)
    let cells = scratch + product.scratchByteCount(rows: rows.most)
    let first = batch.lowerBound
    if step.states.count == 2 {
      cells.copyMemory(
        from: rows.row(frame.values[step.states[1]]!, 0, first), byteCount: batch.count * rows.byteCount)
    }
    var states = rows.row(frame.values[step.states[0]]!, 0, first)
    for time in step.order {
      product.multiply(rows: batch.count, states, leading: g.size, panels, products, scratch: scratch)
      for row in batch {
        let offset = row - first
        run(
          time, row, product: products + offset * product.stride * rows.lane.byteCount,
          state: states + offset * rows.byteCount, cell: cells + offset * rows.byteCount, result, frame)
      }
      states = rows.row(result, time, first)
    }
    let last = result + g.lastStart * rows.lane.byteCount
    rows.row(last, 0, first).copyMemory(from: states, byteCount: batch.count * rows.byteCount)
    if step.states.count == 2 {
      rows.row(last, 1, first).copyMemory(from: cells, byteCount: batch.count * rows.byteCount)
    }
  }

  /// Runs one time step of one sequence.
  private func run(
    _ time: Int, _ row: Int, product: UnsafeMutableRawPointer, state: UnsafeMutableRawPointer,
    cell: UnsafeMutableRawPointer, _ result: UnsafeMutableRawPointer, _ frame: RunFrame
  ) {
    let g = step.geometry
    let next = rows.row(result, time, row)
    let kept =
      step.keeps && g.kept > 0
      ? rows.row(result + g.keptStart * rows.lane.byteCount, time, row, width: g.kept) : nil
    guard rows.isHeld(time, row, frame) else {
      next.copyMemory(from: state, byteCount: rows.byteCount)
      guard let kept else { return }
      rows.clear(kept, states: g.kept)
      if g.kind == .lstm { (kept + 4 * rows.byteCount).copyMemory(from: cell, byteCount: rows.byteCount) }
      return
    }
    var description = csimd_cell()
    description.kind = Int32(g.kind.rawValue)
    description.size = g.size
    description.input = UnsafeRawPointer(rows.row(frame.values[step.input!]!, time, row, width: g.gates))
    description.product = UnsafeRawPointer(product)
    description.bias = step.bias.map { UnsafeRawPointer(frame.values[$0]!) }
    description.state = UnsafeRawPointer(state)
    description.cell = UnsafeRawPointer(cell)
    description.next_state = next
    description.next_cell = cell
    description.kept = kept
    run(&description)
  }
}
