import ApusDevice

/// A pending graph (not evaluated yet) as plain data: the input of the planner.
struct GraphSnapshot {
  var nodes: [GraphNode] = []
  /// The indices of the nodes that are outputs, in the order of the plan's outputs.
  var outputs: [Int] = []
  /// For each input of the plan, whether the plan may overwrite it.
  var donatable: [Bool] = []
  var inputCount = 0
  /// The arithmetic types of the entries of the scalar bank, the list of numbers that is passed to each run.
  var scalars: [Lane] = []

  mutating func append(_ node: Node, isOutput: Bool) {
    if isOutput { outputs.append(nodes.count) }
    let inputs = node.isMaterialized ? [] : (0..<node.inputCount).map { Int(node.input($0).position) }
    append(
      node.op, node.attributes, TensorType(node.shape, node.dtype), inputs: inputs, region: node.region,
      isMaterialized: node.isMaterialized)
  }

  /// Adds an operation on existing nodes, or a materialized value (a value that is in memory).
  mutating func append(
    _ op: Op, _ attributes: Attributes, _ type: TensorType, inputs: [Int], region: UInt32, isMaterialized: Bool
  ) {
    var result = GraphNode(
      op: isMaterialized ? .leaf : op, attributes: attributes, shape: type.shape, dtype: type.dtype, inputs: inputs,
      inputTypes: inputs.map { nodes[$0].type }, region: region)
    switch isMaterialized ? .leaf : op.lower {
    case .leaf:
      guard op !== Op.placeholder else {
        fatalError(
          "loop: the body reads the value of a tensor that it computes; there is no value while the body is built")
      }
      result.kind = .leaf(inputCount)
      inputCount += 1
    case .scalar:
      result.kind = .scalar(scalars.count)
      scalars.append(type.dtype.lane)
    case .constant: result.kind = .constant(attributes.number)
    case .index: result.kind = .index
    case .elementwise(let emit): result.kind = .elementwise(emit)
    case .view(let transform): result.kind = .view([transform(result)])
    case .reduction(let reducer): result.kind = .reduction(reducer)
    case .step(let lowering): result.kind = .step(lowering)
    case .loop: result.kind = .loop(attributes.loop)
    case .customGradientResults: result.kind = .customGradientResults
    case .custom: result.kind = .custom(attributes.custom)
    case .deferred: fatalError("\(op.name): the operations are not built yet")
    case .result:
      let index = attributes.integers[0]
      if case .customGradientResults = nodes[inputs[0]].kind {
        // Result `i` of an operation with a custom gradient has the value of input `i` of that operation.
        result.inputs = [nodes[inputs[0]].inputs[index]]
        result.kind = .view([.reshape(type.shape)])
      } else {
        result.kind = .result(index)
      }
    }
    nodes.append(result)
  }

  /// Adds a scalar that is read from entry `entry` of the scalar bank.
  mutating func appendNumber(_ type: TensorType, entry: Int) {
    nodes.append(
      GraphNode(
        op: .scalar, attributes: .none, shape: type.shape, dtype: type.dtype, inputs: [], inputTypes: [], region: 0,
        kind: .scalar(entry)))
  }
}

/// A node of a graph that is being planned.
struct GraphNode {
  enum Kind {
    /// An input of the plan, with its index.
    case leaf(Int)
    /// A scalar, with its entry in the scalar bank.
    case scalar(Int)
    case constant(Scalar)
    /// The row-major index of each element of a shape.
    case index
    case elementwise(@Sendable (inout ProgramBuilder, GraphNode, [Int]) -> Int)
    case view([ViewTransform])
    case reduction(Lowering.Reducer)
    case step(StepLowering)
    case loop(LoopAttributes)
    /// A user-defined operation.
    case custom(CustomCall)
    /// One result of a loop or of a user-defined operation.
    case result(Int)
    /// Several values with one custom gradient rule.
    case customGradientResults
    /// Scratch memory of a loop's body.
    case slab
  }

  var op: Op
  var attributes: Attributes
  var shape: Shape
  var dtype: DType
  var inputs: [Int]
  /// The types of the inputs when the operation was built. Passes of the planner keep the element types up to date, but
  /// not always the shapes.
  var inputTypes: [TensorType]
  /// The checkpoint region of the node (see `Node.region`).
  var region: UInt32
  var kind: Kind = .leaf(-1)
  /// For a product whose factors have values of a narrower type than their storage type: the narrower type.
  var factorDtype: DType?

  var type: TensorType { TensorType(shape, dtype) }
}

/// A change of layout.
enum ViewTransform: Hashable, Sendable {
  case broadcast(Shape)
  case reshape(Shape)
  case transpose([Int])
  /// Elements `start + i · step` along each axis.
  case slice(start: [Int], step: [Int], shape: Shape)
  /// Windows of `size` elements along an axis, `step` apart. The axis then counts the windows, and a new last axis
  /// counts the elements of a window.
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
  /// The layout after all changes to a contiguous array of `shape`, or `nil` when strides cannot describe it.
  func layout(over shape: Shape) -> Layout? {
    var layout = Layout(contiguous: shape)
    for transform in self {
      guard let next = transform.applied(to: layout) else { return nil }
      layout = next
    }
    return layout
  }
}
