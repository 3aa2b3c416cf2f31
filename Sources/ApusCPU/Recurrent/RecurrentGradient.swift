import ApusDevice
import ApusCSIMD

/// The gradients of a recurrent layer, from the last time step to the first.
final class RecurrentGradientStep: CPUStep {
  let workspaceByteCount: Int
  let sharedByteCount: Int
  private let step: Recurrent
  private let rows: RecurrentRows
  private let product: RepeatedRightProduct
  private let run: (UnsafePointer<csimd_cell_gradient>?) -> Void
  private let add: csimd_loop

  init(_ step: Recurrent, _ builder: StepBuilder) throws(DeviceError) {
    self.step = step
    rows = RecurrentRows(step)
    let g = step.geometry
    product = RepeatedRightProduct(k: g.gates * g.size, n: g.size, uses: g.times * g.batch, rows.lane, builder)
    run = rows.lane.entry(of: builder.loops.pointee.cell_backward)
    add = try builder.row(.add, rows.lane)
    sharedByteCount = product.sharedByteCount
    workspaceByteCount =
      product.resultByteCount(rows: rows.most) + product.scratchByteCount(rows: rows.most) + 2 * rows.most
      * rows.byteCount
  }

  func run(_ context: borrowing RunContext) {
    let panels = product.panels(of: context.address(step.weight), context)
    rows.run(context) { batch, frame, workspace in run(batch, panels, frame, workspace) }
  }

  /// The gradients that one time step of a sequence receives from the next time step.
  private struct Row {
    /// The state's gradient through the matrix product of the next time step.
    var product: UnsafeMutableRawPointer
    /// The state's gradient on the path that bypasses this product.
    var carried: UnsafeMutableRawPointer
    /// The gradient of the cell state `c`.
    var carriedCell: UnsafeMutableRawPointer
  }

  /// Runs all time steps of a range of sequences.
  private func run(
    _ batch: Range<Int>, _ panels: csimd_panels, _ frame: RunFrame, _ workspace: UnsafeMutableRawPointer
  ) {
    let g = step.geometry
    let size = rows.lane.byteCount
    let result = frame.values[step.result]!
    let products = workspace
    let scratch = products + product.resultByteCount(rows: rows.most)
    let carried = scratch + product.scratchByteCount(rows: rows.most)
    let carriedCells = carried + rows.most * rows.byteCount
    let first = batch.lowerBound
    products.initializeMemory(as: UInt8.self, repeating: 0, count: batch.count * product.stride * size)
    for (state, target) in [carried, carriedCells].prefix(g.states).enumerated() {
      rows.clear(target, states: batch.count)
      guard let gradient = step.lastGradients[state] else { continue }
      target.copyMemory(
        from: rows.row(frame.values[gradient]!, 0, first), byteCount: batch.count * rows.byteCount)
    }
    let gradients = g.kind == .gru ? result + g.productGradientStart * size : result
    func described(_ row: Int) -> Row {
      Row(
        product: products + (row - first) * product.stride * size, carried: carried + (row - first) * rows.byteCount,
        carriedCell: carriedCells + (row - first) * rows.byteCount)
    }
    let order = step.order
    for index in order.indices.reversed() {
      let previous = index > 0 ? order[index - 1] : nil
      for row in batch { run(order[index], after: previous, row, described(row), result, frame) }
      product.multiply(
        rows: batch.count, rows.row(gradients, order[index], first, width: g.gates), leading: g.gates * g.size, panels,
        products, scratch: scratch)
    }
    let states = result + g.stateGradientStart * size
    for row in batch {
      let (target, row) = (rows.row(states, 0, row), described(row))
      add(row.carried, row.product, to: target)
      guard g.states == 2 else { continue }
      (target + g.stateCount * size).copyMemory(from: row.carriedCell, byteCount: rows.byteCount)
    }
  }

  /// `target = a + b` for one state.
  private func add(_ a: UnsafeRawPointer, _ b: UnsafeRawPointer, to target: UnsafeMutableRawPointer) {
    withUnsafeTemporaryAllocation(of: csimd_operand.self, capacity: 2) { operands in
      operands[0] = csimd_operand(data: a, step: 1)
      operands[1] = csimd_operand(data: b, step: 1)
      add(step.geometry.size, target, operands.baseAddress, nil)
    }
  }

  /// Runs one time step of one sequence.
  private func run(
    _ time: Int, after previous: Int?, _ row: Int, _ parts: Row, _ result: UnsafeMutableRawPointer, _ frame: RunFrame
  ) {
    let g = step.geometry
    let size = rows.lane.byteCount
    let inputGradient = rows.row(result, time, row, width: g.gates)
    let productGradient = rows.row(result + g.productGradientStart * size, time, row, width: g.gates)
    let gradient = step.gradient.map { rows.row(frame.values[$0]!, time, row) }
    guard rows.isHeld(time, row, frame) else {
      add(parts.carried, parts.product, to: parts.carried)
      if let gradient { add(parts.carried, gradient, to: parts.carried) }
      rows.clear(inputGradient, states: g.gates)
      if g.kind == .gru { rows.clear(productGradient, states: g.gates) }
      return
    }
    let forward = frame.values[step.forward!]!
    let kept = forward + g.keptStart * size
    func state(_ number: Int, _ later: UnsafeMutableRawPointer) -> UnsafeRawPointer {
      UnsafeRawPointer(previous == nil ? rows.row(frame.values[step.states[number]]!, 0, row) : later)
    }
    var description = csimd_cell_gradient()
    description.kind = Int32(g.kind.rawValue)
    description.size = g.size
    description.kept = UnsafeRawPointer(rows.row(kept, time, row, width: g.kept))
    description.state = state(0, rows.row(forward, previous ?? 0, row))
    if g.kind == .lstm {
      description.cell = state(1, rows.row(kept, previous ?? 0, row, width: g.kept) + 4 * rows.byteCount)
    }
    description.next_state = UnsafeRawPointer(rows.row(forward, time, row))
    description.product = UnsafeRawPointer(parts.product)
    description.gradient = gradient.map { UnsafeRawPointer($0) }
    description.carried = parts.carried
    description.carried_cell = parts.carriedCell
    description.input_gradient = inputGradient
    description.product_gradient = productGradient
    run(&description)
  }
}
