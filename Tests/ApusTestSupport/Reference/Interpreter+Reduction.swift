import ApusDevice

extension Interpreter {
  func run(_ step: Reduction) {
    let arguments = arguments(step.arguments, over: step.domain)
    var kept = step.domain
    for axis in step.axes { kept[axis] = 1 }
    // For each element of the domain, `target` is the index of the result to which the element contributes, and
    // `number` is the position of the element among all elements that contribute to this result.
    var target = Layout(contiguous: kept)
    var number = Layout(shape: step.domain, strides: Shape(repeating: 0, count: step.domain.rank))
    target.shape = step.domain
    var stride = 1
    for axis in step.axes.reversed() {
      target.strides[axis] = 0
      number.strides[axis] = stride
      stride *= step.domain[axis]
    }
    let (targets, numbers) = (Places(target), Places(number))
    var combined = step.reducers.indices.map { index in
      Array(repeating: Combined(step.reducers[index], step.prologue.outputs[index]), count: kept.elementCount)
    }
    for element in 0..<step.domain.elementCount {
      let values = evaluate(step.prologue, arguments.map { $0(element) })
      for index in combined.indices {
        combined[index][targets[element]].add(values[index], number: Int64(numbers[element]))
      }
    }
    run(step.epilogue.program, step.epilogue.binding, cores: combined.map { $0.map(\.result) })
  }

  func run(_ step: Scan) {
    for outer in 0..<step.outer {
      for inner in 0..<step.inner {
        var combined = Combined(
          step.combine, Program.Output(register: 0, dtype: step.dtype.lane.dtype))
        for place in 0..<step.extent {
          let along = step.isReversed ? step.extent - 1 - place : place
          let element = (outer * step.extent + along) * step.inner + inner
          combined.add(arrays[step.source][element], number: 0)
          arrays[step.result][element] = step.dtype.rounded(combined.result)
        }
      }
    }
  }

  func run(_ step: Sort) {
    for row in 0..<step.rows {
      func value(_ place: Int) -> Scalar { arrays[step.source][row * step.columns + place] }
      func precedes(_ a: Scalar, _ b: Scalar) -> Bool {
        switch (a, b) {
        case (.integer(let a), .integer(let b)): return step.isDescending ? a > b : a < b
        default:
          if a.double.isNaN || b.double.isNaN {
            return step.isDescending ? a.double.isNaN && !b.double.isNaN : !a.double.isNaN && b.double.isNaN
          }
          return step.isDescending ? a.double > b.double : a.double < b.double
        }
      }
      // The position decides between equal values, so the sort is stable.
      let order = (0..<step.columns).sorted { left, right in
        let (a, b) = (value(left), value(right))
        return precedes(a, b) || !precedes(b, a) && left < right
      }
      for (place, source) in order.enumerated() {
        arrays[step.result][row * step.columns + place] = .integer(Int64(source))
      }
    }
  }
}

extension DType {
  /// Rounds or wraps a number of the arithmetic type `lane` to this element type.
  func rounded(_ value: Scalar) -> Scalar {
    switch self {
    case .float16: .float(Rounding.float16.rounded(Double(Float(value.double))))
    case .bfloat16: .float(Rounding.bfloat16.rounded(Double(Float(value.double))))
    case .int8: .integer(Int64(Int8(truncatingIfNeeded: value.integer)))
    case .uint8: .integer(Int64(UInt8(truncatingIfNeeded: value.integer)))
    default: lane.holding(value)
    }
  }
}

/// The accumulator of a reducer of `Kernels/reduce.def`.
struct Combined {
  private let reducer: ReductionRow
  private let lane: Lane
  private var value: Scalar
  private var place: Int64?

  init(_ reducer: ReductionRow, _ output: Program.Output) {
    self.reducer = reducer
    lane = output.dtype.lane
    value = reducer.identity(lane)
  }

  var result: Scalar {
    if reducer.isIndex { return .integer(place ?? 0) }
    return lane.holding(value)
  }

  mutating func add(_ next: Scalar, number: Int64) {
    if reducer.isIndex {
      if place == nil || reducer.prefers(next, to: value) { (value, place) = (next, number) }
      return
    }
    switch (value, next) {
    case (.float(let a), .float(let b)): value = .float(reducer.combined(a, b))
    case (.integer(let a), .integer(let b)): value = .integer(reducer.combined(a, b))
    default: fatalError("\(reducer) of mixed lanes")
    }
  }
}
