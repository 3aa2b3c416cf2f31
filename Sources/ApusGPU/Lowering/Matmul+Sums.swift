import ApusDevice

extension PlanLowering {
  /// Whether a product is lowered as a reduction: each matrix of the batch has few results, the inner dimension `k`
  /// times the batch size is large, and the domain of the reduction is a valid shape. Tiles of such a product would be
  /// almost empty, and their workspace would be many times as large as the factors, most of all for 1-byte types.
  func isSums(_ step: Matmul) -> Bool {
    let mostResults = step.dtype.byteCount == 1 ? 64 : 16
    return step.m * step.n <= mostResults && step.batch.elementCount * step.k >= 4096
      && step.batch.rank + 3 <= Shape.maximumRank
  }

  /// Lowers a product as a sum over the last axis of the domain `batch + [m, n, k]`.
  mutating func lowerSums(_ step: Matmul) {
    let rank = step.batch.rank
    let domain = Shape(Array(step.batch) + [step.m, step.n, step.k])
    func spread(_ operand: Operand, at axis: Int) -> Argument {
      let layout = operand.layout
      var strides = Array(layout.strides)
      // The terms are the last axis of the domain, but the columns are the last axis of the right factor.
      if axis == rank { strides.swapAt(rank, rank + 1) }
      strides.insert(0, at: axis)
      return .tensor(
        Operand(
          value: operand.value, layout: Layout(shape: domain, strides: Shape(strides), offset: layout.offset)))
    }
    func lifted(_ layout: Layout) -> Layout {
      Layout(
        shape: layout.shape.inserting(1, at: rank + 2), strides: layout.strides.inserting(0, at: rank + 2),
        offset: layout.offset)
    }
    var binding = step.epilogue.binding
    binding.domain = binding.domain.inserting(1, at: rank + 2)
    binding.arguments = binding.arguments.map { $0.laidOut(lifted) }
    binding.results = binding.results.map { Operand(value: $0.value, layout: lifted($0.layout)) }
    let lane = step.dtype.lane
    lower(
      Reduction(
        domain: domain, axes: [rank + 2],
        prologue: Program(
          inputs: [.tensor(step.dtype), .tensor(step.dtype)],
          instructions: [Instruction(.multiply, lane: lane, operands: [0, 1])],
          outputs: [Program.Output(register: 2, dtype: lane.dtype)]),
        arguments: [spread(step.a, at: rank + 1), spread(step.b, at: rank)], reducers: [.sum],
        epilogue: Epilogue(program: step.epilogue.program, binding: binding)))
  }
}
