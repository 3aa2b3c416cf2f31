/// A plan that runs `count` times, with values that it carries from one time to the next.
///
/// Each time is an element of the sequences: in order, or from the last to the first. The scalar bank of the body
/// is that of the whole plan.
public struct Loop: Hashable, Sendable {
  /// What an input of the body is.
  public enum Source: Hashable, Sendable {
    /// A contiguous value, the same each time.
    case whole(Int)
    /// An element of a sequence: it begins at the offset of the layout and `strides[0]` further each time, and is
    /// contiguous itself.
    case element(Operand)
    /// What is carried under this number.
    case carried(Int)
  }

  /// Where an output of the body goes.
  public enum Target: Hashable, Sendable {
    /// To the element of a contiguous value, a sequence.
    case element(Int)
    /// To what is carried under this number, whose input it overwrites.
    case carried(Int)
  }

  /// The number of times.
  public var count: Int
  /// Whether it goes from the last element to the first.
  public var isReversed: Bool
  /// What is run each time. Outputs to what is carried are donated the input.
  public var body: Plan
  /// Parallel to the body's inputs.
  public var inputs: [Source]
  /// Parallel to the body's outputs.
  public var outputs: [Target]
  /// Contiguous values that are copied to what is carried before the first time.
  public var initial: [Int]
  /// The values that hold what is carried, and in the end its last state.
  public var carried: [Int]
  /// Values that serve as the body's slabs.
  public var slabs: [Int]

  /// A loop from its parts.
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

  /// The values that are read: those of the inputs, but for what is carried, and what that begins with.
  public var reads: [Int] {
    inputs.compactMap { source in
      switch source {
      case .whole(let value): value
      case .element(let operand): operand.value
      case .carried: nil
      }
    } + initial
  }

  /// The values that are written: sequences, what is carried, and slabs.
  public var writes: [Int] {
    outputs.compactMap { target in
      if case .element(let value) = target { value } else { nil }
    } + carried + slabs
  }

  /// The place in the sequences of each time.
  public var order: [Int] { isReversed ? (0..<count).reversed() : Array(0..<count) }

  /// Where a value of the body lies: a value of the whole plan, elements from its begin on, and how many more each
  /// place in the sequences adds. Slabs count in bytes.
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
