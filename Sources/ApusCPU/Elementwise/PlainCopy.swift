import ApusDevice

/// A copy without conversion between values that do not overlap. Axes of extent 1 are left out, and adjacent axes that
/// both layouts traverse as one axis are merged.
struct PlainCopy {
  let source: Int
  let result: Int
  let dtype: DType
  /// The shape of the copied elements, with merged axes.
  let shape: Shape
  /// The layouts of the source and of the result over `shape`.
  let from: Layout
  let to: Layout

  /// The copy that is equivalent to a program; `nil` if there is none.
  init?(_ program: Program, _ segment: Binding, _ builder: StepBuilder) {
    guard program.instructions.isEmpty, program.inputs.count == 1, program.outputs.count == 1,
      case .tensor(let operand) = segment.arguments[0]
    else { return nil }
    let target = segment.results[0]
    dtype = builder.plan.values[operand.value].dtype
    guard dtype == builder.plan.values[target.value].dtype, !builder.mayAlias(operand.value, target.value)
    else { return nil }
    (source, result) = (operand.value, target.value)
    let (shape, layouts) = Layout.collapsed(segment.domain, [operand.layout, target.layout])
    (self.shape, from, to) = (shape, layouts[0], layouts[1])
  }
}
