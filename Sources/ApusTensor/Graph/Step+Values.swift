import ApusDevice

extension Step {
  /// Every value that the step reads or writes.
  var values: [Int] {
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
  var results: [Int] {
    var list: [Int] = []
    _ = mapped(
      read: { $0 },
      write: {
        list.append($0); return $0
      })
    return list
  }

  /// The programs' reads and writes, element by element.
  var bindings: [Binding] {
    switch self {
    case .elementwise(let step): step.segments
    case .reduction(let step): [step.epilogue.binding]
    case .matmul(let step): [step.epilogue.binding]
    case .convolution(let step): [step.epilogue.binding]
    case .pooling(let step): [step.epilogue.binding]
    case .attention, .scan, .copy, .gather, .scatterAdd, .random, .sort, .loop, .custom: []
    }
  }

  /// The values that are read in another order than the results are written.
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

  /// The step with other numbers for its values.
  func renumbered(_ number: (Int) -> Int) -> Step { mapped(read: number, write: number) }

  private func mapped(read: (Int) -> Int, write: (Int) -> Int) -> Step {
    switch self {
    case .elementwise(var step):
      step.segments = step.segments.map { $0.mapped(read, write) }
      return .elementwise(step)
    case .reduction(var step):
      step.arguments = step.arguments.map { $0.mapped(read) }
      step.epilogue = step.epilogue.mapped(read, write)
      return .reduction(step)
    case .scan(var step):
      step.source = read(step.source)
      step.result = write(step.result)
      return .scan(step)
    case .matmul(var step):
      step.a.value = read(step.a.value)
      step.b.value = read(step.b.value)
      step.epilogue = step.epilogue.mapped(read, write)
      return .matmul(step)
    case .convolution(var step):
      step.left = read(step.left)
      step.right = read(step.right)
      step.epilogue = step.epilogue.mapped(read, write)
      return .convolution(step)
    case .pooling(var step):
      step.left = read(step.left)
      step.right = step.right.map(read)
      step.epilogue = step.epilogue.mapped(read, write)
      return .pooling(step)
    case .attention(var step):
      step.query.value = read(step.query.value)
      step.key.value = read(step.key.value)
      step.value.value = read(step.value.value)
      if let mask = step.mask { step.mask = Operand(value: read(mask.value), layout: mask.layout) }
      if let gradient = step.gradient {
        step.gradient = Operand(value: read(gradient.value), layout: gradient.layout)
      }
      step.offset = step.offset.map(read)
      step.forward = step.forward.map(read)
      step.result = write(step.result)
      return .attention(step)
    case .copy(var step):
      for index in step.pieces.indices {
        step.pieces[index].source.value = read(step.pieces[index].source.value)
      }
      step.result = write(step.result)
      return .copy(step)
    case .gather(var step):
      step.source = read(step.source)
      step.indices.value = read(step.indices.value)
      step.result = write(step.result)
      return .gather(step)
    case .scatterAdd(var step):
      step.source = read(step.source)
      step.indices.value = read(step.indices.value)
      step.result = write(step.result)
      return .scatterAdd(step)
    case .random(var step):
      step.result = write(step.result)
      return .random(step)
    case .sort(var step):
      step.source = read(step.source)
      step.result = write(step.result)
      return .sort(step)
    case .loop(var step):
      step.inputs = step.inputs.map { source in
        switch source {
        case .whole(let value): .whole(read(value))
        case .element(let operand): .element(Operand(value: read(operand.value), layout: operand.layout))
        case .carried: source
        }
      }
      step.initial = step.initial.map(read)
      step.outputs = step.outputs.map { target in
        if case .element(let value) = target { .element(write(value)) } else { target }
      }
      step.carried = step.carried.map(write)
      step.slabs = step.slabs.map(write)
      return .loop(step)
    case .custom(var step):
      step.inputs = step.inputs.map(read)
      step.results = step.results.map(write)
      return .custom(step)
    }
  }
}

extension Argument {
  fileprivate func mapped(_ read: (Int) -> Int) -> Argument {
    guard case .tensor(var operand) = self else { return self }
    operand.value = read(operand.value)
    return .tensor(operand)
  }
}

extension Binding {
  fileprivate func mapped(_ read: (Int) -> Int, _ write: (Int) -> Int) -> Binding {
    Binding(
      domain: domain, arguments: arguments.map { $0.mapped(read) },
      results: results.map { Operand(value: write($0.value), layout: $0.layout) })
  }
}

extension Epilogue {
  fileprivate func mapped(_ read: (Int) -> Int, _ write: (Int) -> Int) -> Epilogue {
    Epilogue(program: program, binding: binding.mapped(read, write))
  }
}
