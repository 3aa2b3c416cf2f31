import ApusDevice

extension Step {
  /// What the step reads and writes element by element. An elementwise step has a binding for each segment (a group of
  /// arrays on which it runs its program); other steps have the binding of their epilogue, if they can have one. The
  /// reads of a prologue are not included.
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

  /// The values that the step reads outside of its bindings. The step may read them after it has written results, so
  /// results must not overwrite them.
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
