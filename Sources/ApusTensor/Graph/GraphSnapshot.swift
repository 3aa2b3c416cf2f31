import ApusDevice

/// A pending graph as plain data: what the planner works on.
struct GraphSnapshot {
  var nodes: [GraphNode] = []
  /// The outputs' nodes, in the order of the plan's outputs.
  var outputs: [Int] = []
  /// Whether the plan may overwrite an input, by input index.
  var donatable: [Bool] = []
  var inputCount = 0
  var scalars: [Lane] = []

  mutating func append(_ node: Node, isOutput: Bool) {
    var inputs: [Int] = []
    var lower = node.op.lower
    if node.isMaterialized {
      lower = .leaf
    } else {
      inputs = (0..<node.inputCount).map { Int(node.input($0).position) }
    }
    var result = GraphNode(
      op: node.isMaterialized ? .leaf : node.op, attributes: node.attributes, shape: node.shape,
      dtype: node.dtype, inputs: inputs, inputTypes: inputs.map { nodes[$0].type },
      region: node.region)
    switch lower {
    case .leaf:
      result.kind = .leaf(inputCount)
      inputCount += 1
    case .scalar:
      result.kind = .scalar(scalars.count)
      scalars.append(node.dtype.lane)
    case .constant: result.kind = .constant(node.attributes.number)
    case .elementwise(let emit): result.kind = .elementwise(emit)
    case .view(let transform): result.kind = .view([transform(result)])
    case .reduction(let reducer): result.kind = .reduction(reducer)
    case .step(let lowering): result.kind = .step(lowering)
    }
    if isOutput { outputs.append(nodes.count) }
    nodes.append(result)
  }
}

/// A node of a graph that is being planned.
struct GraphNode {
  enum Kind {
    case leaf(Int)
    case scalar(Int)
    case constant(Scalar)
    case elementwise(@Sendable (inout ProgramBuilder, GraphNode, [Int]) -> Int)
    case view([ViewTransform])
    case reduction(String)
    case step(StepLowering)
  }

  var op: Op
  var attributes: Attributes
  var shape: Shape
  var dtype: DType
  var inputs: [Int]
  /// The types of the inputs when the operation was built.
  var inputTypes: [TensorType]
  var region: UInt32
  var kind: Kind = .leaf(-1)

  var type: TensorType { TensorType(shape, dtype) }
}

/// A change of layout.
enum ViewTransform: Hashable, Sendable {
  case broadcast(Shape)
  case reshape(Shape)
  case transpose([Int])
  /// Elements `start + i · step` along each axis.
  case slice(start: [Int], step: [Int], shape: Shape)
  /// Overlapping windows along an axis become a new last axis.
  case window(axis: Int, size: Int, step: Int)

  /// The layout after the change, or `nil` when strides cannot describe it.
  func applied(to layout: Layout) -> Layout? {
    switch self {
    case .broadcast(let shape): return layout.broadcast(to: shape)
    case .reshape(let shape): return layout.reshaped(to: shape)
    case .transpose(let permutation): return layout.transposed(permutation)
    case .slice(let start, let step, let shape):
      return layout.sliced(start: start, step: step, shape: shape)
    case .window(let axis, let size, let step):
      var result = layout
      result.shape[axis] = (layout.shape[axis] - size) / step + 1
      result.strides[axis] = layout.strides[axis] * step
      result.shape.append(size)
      result.strides.append(layout.strides[axis])
      return result
    }
  }
}

extension [ViewTransform] {
  /// The layout after all changes to a contiguous array of `shape`, or `nil`.
  func layout(over shape: Shape) -> Layout? {
    var layout = Layout(contiguous: shape)
    for transform in self {
      guard let next = transform.applied(to: layout) else { return nil }
      layout = next
    }
    return layout
  }
}
