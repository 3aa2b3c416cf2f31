import ApusDevice
import ApusCSIMD

/// Runs the steps of a loop's body once for each position in the sequences that the loop reads and writes: from the
/// first to the last or, if `isReversed`, from the last to the first.
final class LoopStep: CPUStep {
  private let step: Loop
  private let steps: [any CPUStep]
  private let frame: RunFrame
  /// For each value of the body, the value of the enclosing plan that stores it, the byte offset there at position 0 of
  /// the sequences, and the bytes from one position to the next (0 if the value is not an element of a sequence).
  private let locations: [(value: Int, offset: Int, stride: Int)]
  private let carriedByteCounts: [Int]
  let workspaceByteCount: Int
  let sharedByteCount: Int

  init(_ step: Loop, _ builder: StepBuilder) throws(DeviceError) {
    self.step = step
    let inner = StepBuilder(
      plan: step.body, loops: builder.loops, threadCount: builder.threadCount, pairs: builder.pairs,
      caches: builder.caches)
    var steps: [any CPUStep] = []
    for planned in step.body.steps { steps.append(try inner.build(planned)) }
    steps.joinColumnSums(step.body)
    self.steps = steps
    frame = RunFrame(valueCount: step.body.values.count, scalarCount: 0)
    locations = step.body.values.indices.map { value in
      let location = step.location(of: value)
      let size = builder.plan.values[location.value].dtype.byteCount
      return (location.value, location.offset * size, location.stride * size)
    }
    carriedByteCounts = step.carried.map { builder.plan.values[$0].byteCount }
    workspaceByteCount = steps.map(\.workspaceByteCount).max() ?? 0
    sharedByteCount = steps.map(\.sharedByteCount).max() ?? 0
  }

  func run(_ context: borrowing RunContext) throws(DeviceError) {
    for (index, initial) in step.initial.enumerated() {
      context.address(step.carried[index]).copyMemory(
        from: context.address(initial), byteCount: carriedByteCounts[index])
    }
    frame.scalars = context.frame.scalars
    let inner = RunContext(frame: frame, pool: context.pool, workspaces: context.workspaces)
    for position in step.order {
      for (value, location) in locations.enumerated() {
        frame.values[value] = context.address(location.value) + location.offset + position * location.stride
      }
      for step in steps { try step.run(inner) }
    }
  }
}
