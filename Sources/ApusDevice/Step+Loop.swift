/// A step of a plan that runs another plan, the body, `count` times, and carries values from one iteration to the next.
///
/// Sequences are arrays with one element for each iteration. An iteration reads one element of each input sequence, and
/// writes one element of each output sequence, from the first to the last or in reverse. The enclosing plan is the plan
/// that contains the loop; the body uses its scalar bank (`Plan.scalars`), the numbers that the caller passes to a run.
public struct Loop: Hashable, Sendable {
  /// The source of an input of the body.
  public enum Source: Hashable, Sendable {
    /// The contiguous value of the enclosing plan with this index, the same in each iteration.
    case whole(Int)
    /// An element of a sequence: element `t` is contiguous and begins at the offset of the layout plus
    /// `t · strides[0]`.
    case element(Operand)
    /// The carried value with this index.
    case carried(Int)
  }

  /// The destination of an output of the body.
  public enum Target: Hashable, Sendable {
    /// The current element of a contiguous sequence, the value of the enclosing plan with this index.
    case element(Int)
    /// The carried value with this index, which the output overwrites.
    case carried(Int)
  }

  /// The number of iterations.
  public var count: Int
  /// Whether the loop runs from the last element to the first.
  public var isReversed: Bool
  /// The plan of one iteration. An output that goes to a carried value is written to the memory of that value, from
  /// which the same iteration reads its input.
  public var body: Plan
  /// The sources of the body's inputs.
  public var inputs: [Source]
  /// The destinations of the body's outputs.
  public var outputs: [Target]
  /// The contiguous values that are copied to the carried values before the first iteration.
  public var initial: [Int]
  /// The values of the enclosing plan that store the carried values; after the loop, they contain the results of the
  /// last iteration.
  public var carried: [Int]
  /// The values of the enclosing plan that serve as the body's slabs (scratch memory).
  public var slabs: [Int]

  /// Creates a loop from its fields.
  public init(
    count: Int, isReversed: Bool, body: Plan, inputs: [Source], outputs: [Target], initial: [Int], carried: [Int],
    slabs: [Int]
  ) {
    self.count = count
    self.isReversed = isReversed
    self.body = body
    self.inputs = inputs
    self.outputs = outputs
    self.initial = initial
    self.carried = carried
    self.slabs = slabs
  }

  /// The values that the loop reads: the inputs except carried values, and the initial values.
  public var reads: [Int] {
    inputs.compactMap { source in
      switch source {
      case .whole(let value): value
      case .element(let operand): operand.value
      case .carried: nil
      }
    } + initial
  }

  /// The values that the loop writes: sequences, carried values and slabs.
  public var writes: [Int] {
    outputs.compactMap { target in
      if case .element(let value) = target { value } else { nil }
    } + carried + slabs
  }

  /// For each iteration, the index of the elements that it reads from the sequences and writes to them.
  public var order: [Int] { iterationOrder(count, isReversed: isReversed) }

  /// Returns where a value of the body is stored: a value of the enclosing plan, an offset in this value, and a stride.
  /// At index `t` of the sequences, the offset is `offset + t · stride`. Offset and stride are in elements; in a slab,
  /// they are in bytes.
  public func location(of value: Int) -> (value: Int, offset: Int, stride: Int) {
    let description = body.values[value]
    switch description.storage {
    case .input(let index): return location(of: inputs[index])
    case .output(let index):
      switch outputs[index] {
      case .element(let value): return (value, 0, description.elementCount)
      case .carried(let number): return (carried[number], 0, 0)
      }
    case .scratch(let slab, let byteOffset): return (slabs[slab], byteOffset, 0)
    }
  }

  private func location(of source: Source) -> (value: Int, offset: Int, stride: Int) {
    switch source {
    case .whole(let value): (value, 0, 0)
    case .element(let operand): (operand.value, operand.layout.offset, operand.layout.strides[0])
    case .carried(let number): (carried[number], 0, 0)
    }
  }
}

extension Loop: StepFamily {
  func mapped(read: (Int) -> Int, write: (Int) -> Int) -> Loop {
    var step = self
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
    return step
  }
}

/// `0, 1, …, count − 1`, or the reverse if a loop runs from the last element to the first.
package func iterationOrder(_ count: Int, isReversed: Bool) -> [Int] {
  isReversed ? (0..<count).reversed() : Array(0..<count)
}
