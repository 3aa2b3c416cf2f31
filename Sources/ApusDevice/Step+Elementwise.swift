/// A program (a list of elementwise instructions) that runs over each of several segments. A segment is a shape to run
/// over (the domain) with its input and result arrays. A strided copy is a program without instructions; an optimizer's
/// update of all parameters is one step with a segment for each parameter.
public struct Elementwise: Hashable, Sendable {
  /// The program that runs for each element.
  public var program: Program
  /// The domain and the arrays of each segment.
  public var segments: [Binding]

  /// Creates a step from its program and segments.
  public init(program: Program, segments: [Binding]) {
    self.program = program
    self.segments = segments
  }

  /// Creates a step that copies all elements of one value of a plan to another of the same type and element count.
  /// - Parameters:
  ///   - source: the index of the source in the plan's values.
  ///   - target: the index of the target in the plan's values.
  ///   - value: either of the two values; it gives the element type and count.
  package init(copying source: Int, to target: Int, as value: Plan.Value) {
    let layout = Layout(contiguous: [value.elementCount])
    let program = Program(
      inputs: [.tensor(value.dtype)], outputs: [Program.Output(register: 0, dtype: value.dtype)])
    let binding = Binding(
      domain: [value.elementCount], arguments: [.tensor(Operand(value: source, layout: layout))],
      results: [Operand(value: target, layout: layout)])
    self.init(program: program, segments: [binding])
  }
}

extension Elementwise: StepFamily {
  func mapped(read: (Int) -> Int, write: (Int) -> Int) -> Elementwise {
    var step = self
    step.segments = step.segments.map { $0.mapped(read, write) }
    return step
  }
}
