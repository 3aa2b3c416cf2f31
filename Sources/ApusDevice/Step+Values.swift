/// A family of steps, such as matrix products.
protocol StepFamily {
  /// The step with other values (indices into `Plan.values`): `read` maps the values that the step reads, and `write`
  /// the values that it writes. A value that the step uses several times is mapped each time.
  func mapped(read: (Int) -> Int, write: (Int) -> Int) -> Self
}

extension Step {
  /// The values that the step reads or writes; a value may occur several times.
  package var values: [Int] {
    var list: [Int] = []
    _ = mapped(
      read: {
        list.append($0); return $0
      },
      write: {
        list.append($0); return $0
      })
    return list
  }

  /// The values that the step writes.
  package var results: [Int] {
    var list: [Int] = []
    _ = mapped(
      read: { $0 },
      write: {
        list.append($0); return $0
      })
    return list
  }

  /// The step with renumbered values.
  package func renumbered(_ number: (Int) -> Int) -> Step { mapped(read: number, write: number) }

  private func mapped(read: (Int) -> Int, write: (Int) -> Int) -> Step {
    switch self {
    case .elementwise(let step): .elementwise(step.mapped(read: read, write: write))
    case .reduction(let step): .reduction(step.mapped(read: read, write: write))
    case .scan(let step): .scan(step.mapped(read: read, write: write))
    case .matmul(let step): .matmul(step.mapped(read: read, write: write))
    case .convolution(let step): .convolution(step.mapped(read: read, write: write))
    case .pooling(let step): .pooling(step.mapped(read: read, write: write))
    case .attention(let step): .attention(step.mapped(read: read, write: write))
    case .recurrent(let step): .recurrent(step.mapped(read: read, write: write))
    case .copy(let step): .copy(step.mapped(read: read, write: write))
    case .gather(let step): .gather(step.mapped(read: read, write: write))
    case .scatterAdd(let step): .scatterAdd(step.mapped(read: read, write: write))
    case .rowWrite(let step): .rowWrite(step.mapped(read: read, write: write))
    case .sort(let step): .sort(step.mapped(read: read, write: write))
    case .loop(let step): .loop(step.mapped(read: read, write: write))
    case .custom(let step): .custom(step.mapped(read: read, write: write))
    }
  }
}

extension Argument {
  func mapped(_ read: (Int) -> Int) -> Argument {
    guard case .tensor(var operand) = self else { return self }
    operand.value = read(operand.value)
    return .tensor(operand)
  }
}

extension Binding {
  func mapped(_ read: (Int) -> Int, _ write: (Int) -> Int) -> Binding {
    Binding(
      domain: domain, arguments: arguments.map { $0.mapped(read) },
      results: results.map { Operand(value: write($0.value), layout: $0.layout) })
  }
}

extension Epilogue {
  func mapped(_ read: (Int) -> Int, _ write: (Int) -> Int) -> Epilogue {
    Epilogue(program: program, binding: binding.mapped(read, write))
  }
}
