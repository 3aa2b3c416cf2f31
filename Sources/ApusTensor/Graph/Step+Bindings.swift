import ApusDevice

extension Step {
  /// The reads and writes of the programs that run element by element: of the segments of an elementwise step (the
  /// groups of arrays on which it runs its program), or of the epilogue of another step. The reads of a prologue are
  /// not included.
  var bindings: [Binding] {
    switch self {
    case .elementwise(let step): step.segments
    case .reduction(let step): [step.epilogue.binding]
    case .matmul(let step): [step.epilogue.binding]
    case .convolution(let step): [step.epilogue.binding]
    case .pooling(let step): [step.epilogue.binding]
    case .attention, .recurrent, .scan, .copy, .gather, .scatterAdd, .rowWrite, .sort, .loop, .custom: []
    }
  }

  /// The values that the step reads outside of its bindings, possibly not in the order in which it writes the results.
  var coreReads: [Int] {
    let results = Set(results)
    let elementwise = bindings.flatMap(\.arguments).compactMap { argument -> Int? in
      if case .tensor(let operand) = argument { return operand.value }
      return nil
    }
    var reads = values.filter { !results.contains($0) }
    for value in elementwise {
      if let index = reads.firstIndex(of: value) { reads.remove(at: index) }
    }
    return reads
  }
}
