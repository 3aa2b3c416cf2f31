import ApusDevice

extension Planner {
  /// On devices with `prefersFloat32Products`, stores 16-bit values as `float32` between steps. The values are still
  /// rounded to 16 bits, but the steps that read them need no conversion.
  ///
  /// A 16-bit value gets a twin, a `float32` node with the same values, if it is a cast of `float32` values, the result
  /// of a product (`matmul` or a convolution), or computed from twins. Views, products, pooling, reductions and
  /// elementwise operations read the twin. All other operations, and the plan's outputs, read the 16-bit value, which
  /// becomes a cast of its twin. The results have the same bits, because devices accumulate 16-bit values in `float32`
  /// anyway.
  mutating func widenHalfPrecision() {
    guard device.prefersFloat32Products, nodes.contains(where: \.isHalfPrecisionProduct) else { return }
    var widening = HalfPrecisionWidening(kept: Set(outputs))
    for index in nodes.indices { widening.visit(index, &self) }
  }
}

extension Planner {
  /// On devices with `fastAttentionTypes`: if the graph casts queries, keys and values from one of these 16-bit types
  /// to `float32`, attention reads the values before the casts. In the backward pass, the gradient of the output is
  /// then read in the same 16-bit type.
  mutating func narrowAttention() {
    guard !device.fastAttentionTypes.isEmpty else { return }
    for index in nodes.indices where nodes[index].op === Op.attention || nodes[index].op === Op.attentionGradient {
      let inputs = nodes[index].inputs
      guard let type = typeBeforeCast(of: inputs[0]), device.fastAttentionTypes.contains(type),
        inputs[1...2].allSatisfy({ typeBeforeCast(of: $0) == type })
      else { continue }
      for position in nodes[index].op === Op.attention ? [0, 1, 2] : [0, 1, 2, 4] {
        nodes[index].inputs[position] = narrowed(inputs[position], to: type, region: nodes[index].region)
      }
      nodes[index].inputTypes = nodes[index].inputs.map { nodes[$0].type }
    }
  }

  /// If the node is a cast of 16-bit numbers to `float32`, or a view of such a cast, the 16-bit type; otherwise `nil`.
  private func typeBeforeCast(of index: Int) -> DType? {
    let node = nodes[index]
    if case .view = node.kind { return typeBeforeCast(of: node.inputs[0]) }
    guard node.op === Op.cast, node.dtype == .float32 else { return nil }
    let type = nodes[node.inputs[0]].dtype
    return type.isHalfPrecision ? type : nil
  }

  /// The values of a `float32` node as a node of a 16-bit type: the input of a cast, or a new cast.
  private mutating func narrowed(_ index: Int, to type: DType, region: UInt32) -> Int {
    guard typeBeforeCast(of: index) == type else {
      return append(.cast(of: index, nodes[index].type, to: type, region: region))
    }
    guard case .view = nodes[index].kind else { return nodes[index].inputs[0] }
    var view = nodes[index]
    view.inputs = [narrowed(view.inputs[0], to: type, region: region)]
    view.inputTypes = [nodes[view.inputs[0]].type]
    view.dtype = type
    return append(view)
  }
}

/// The `float32` nodes that replace 16-bit nodes while a graph is widened.
private struct HalfPrecisionWidening {
  /// The plan's outputs. They keep their nodes: a cast to `float32` that is an output is not replaced by a twin.
  let kept: Set<Int>
  /// The twins of 16-bit nodes.
  private var twins: [Int: Int] = [:]
  /// The keys are casts to `float32` of 16-bit nodes that have a twin; the values are these twins.
  private var aliases: [Int: Int] = [:]
  /// Casts to `float32` of 16-bit nodes without a twin. Each region of gradient checkpointing that reads such a node
  /// has a cast of its own, because regions do not share values.
  private var casts: [CastInput: Int] = [:]

  private struct CastInput: Hashable {
    var input: Int
    var region: UInt32
  }

  init(kept: Set<Int>) { self.kept = kept }

  mutating func visit(_ index: Int, _ planner: inout Planner) {
    let node = planner.nodes[index]
    let hasTwin = node.inputs.contains { twins[$0] != nil }
    guard node.dtype.isHalfPrecision else {
      read(index, hasTwin: hasTwin, &planner)
      return
    }
    let twin: Int
    switch node.kind {
    case .step where node.isHalfPrecisionProduct || node.isPooling && hasTwin:
      let result = planner.append(widened(node, &planner))
      twin = node.selectsElements ? result : planner.append(.rounded(result, of: node))
    case .reduction where hasTwin:
      twin = planner.append(.rounded(planner.append(widened(node, &planner)), of: node))
    case .elementwise where hasTwin || node.isNarrowing:
      twin = planner.append(widened(node, &planner))
    case .view where hasTwin:
      twin = planner.append(widened(node, &planner))
    default:
      read(index, hasTwin: hasTwin, &planner)
      return
    }
    twins[index] = twin
    planner.nodes[index] = .cast(of: twin, TensorType(node.shape, .float32), to: node.dtype, region: node.region)
  }

  /// For a node that keeps its type: replaces inputs that are casts to `float32` by the twins that they equal. If the
  /// node is a reduction or an elementwise operation and one of its inputs has a twin, also replaces its 16-bit inputs
  /// by `float32` nodes. If the node is itself a cast to `float32` of a node with a twin, and not an output, only
  /// records the twin in `aliases`.
  private mutating func read(_ index: Int, hasTwin: Bool, _ planner: inout Planner) {
    let node = planner.nodes[index]
    planner.nodes[index].inputs = node.inputs.map { aliases[$0] ?? $0 }
    guard hasTwin else { return }
    if case .reduction = node.kind {
      planner.nodes[index].inputs = inputs(of: node, &planner)
      planner.nodes[index].inputTypes = planner.nodes[index].inputs.map { planner.nodes[$0].type }
      return
    }
    guard case .elementwise(let emit) = node.kind else { return }
    if node.op === Op.cast, node.dtype == .float32, !kept.contains(index) {
      aliases[index] = twins[node.inputs[0]]
      return
    }
    planner.nodes[index].inputs = inputs(of: node, &planner)
    planner.nodes[index].inputTypes = planner.nodes[index].inputs.map { planner.nodes[$0].type }
    planner.nodes[index].kind = .elementwise { builder, _, registers in emit(&builder, node, registers) }
  }

  /// The node with `float32` inputs and a `float32` result. An elementwise operation still rounds its result to the
  /// type of `node`.
  private mutating func widened(_ node: GraphNode, _ planner: inout Planner) -> GraphNode {
    var result = node
    result.inputs = inputs(of: node, &planner)
    result.inputTypes = result.inputs.map { planner.nodes[$0].type }
    result.dtype = .float32
    if node.isHalfPrecisionProduct { result.factorDtype = node.dtype }
    if case .elementwise(let emit) = node.kind {
      result.kind = .elementwise { builder, _, registers in
        for (register, type) in zip(registers, node.inputTypes) where type.dtype.isHalfPrecision {
          builder.declare(register, as: type.dtype)
        }
        return builder.narrow(emit(&builder, node, registers), to: node.dtype)
      }
    }
    return result
  }

  /// The inputs of a node, each 16-bit input replaced by a `float32` node with the same values.
  private mutating func inputs(of node: GraphNode, _ planner: inout Planner) -> [Int] {
    var result = node.inputs
    for position in result.indices { result[position] = widened(result[position], region: node.region, &planner) }
    return result
  }

  /// The `float32` node of an input. For a view without a twin, this is the same view of the `float32` node of its
  /// base, so that a cast reads the base in memory order.
  private mutating func widened(_ input: Int, region: UInt32, _ planner: inout Planner) -> Int {
    if let known = twins[input] ?? aliases[input] { return known }
    let node = planner.nodes[input]
    guard node.dtype.isHalfPrecision else { return input }
    let key = CastInput(input: input, region: region)
    if let known = casts[key] { return known }
    var result: GraphNode
    if case .view = node.kind {
      result = node
      result.inputs = [widened(node.inputs[0], region: region, &planner)]
      result.inputTypes = [planner.nodes[result.inputs[0]].type]
      result.dtype = .float32
    } else {
      result = .cast(of: input, node.type, to: .float32, region: region)
    }
    let index = planner.append(result)
    casts[key] = index
    return index
  }
}

extension DType {
  fileprivate var isHalfPrecision: Bool { self == .float16 || self == .bfloat16 }
}

extension GraphNode {
  fileprivate static func cast(of input: Int, _ type: TensorType, to dtype: DType, region: UInt32) -> GraphNode {
    guard case .elementwise(let emit) = Op.cast.lower else { fatalError("planner: cast is not elementwise") }
    return GraphNode(
      op: .cast, attributes: .integers([Int(dtype.rawValue)]), shape: type.shape, dtype: dtype, inputs: [input],
      inputTypes: [type], region: region, kind: .elementwise(emit))
  }

  /// A `float32` node with the values of `input`, rounded to the type of `node`.
  fileprivate static func rounded(_ input: Int, of node: GraphNode) -> GraphNode {
    let dtype = node.dtype
    return GraphNode(
      op: .copy, attributes: .none, shape: node.shape, dtype: .float32, inputs: [input],
      inputTypes: [TensorType(node.shape, .float32)], region: node.region,
      kind: .elementwise { builder, _, registers in builder.narrow(registers[0], to: dtype) })
  }

  /// Whether the node is a matrix product or a convolution of 16-bit floating-point numbers.
  fileprivate var isHalfPrecisionProduct: Bool {
    guard dtype.isHalfPrecision, case .step = kind else { return false }
    if case .convolution = attributes { return true }
    return op === Op.matmul
  }

  fileprivate var isPooling: Bool {
    if case .pooling = attributes { return true }
    return false
  }

  /// Whether each result of a pooling is an element of an input or 0, so that the results need no rounding.
  fileprivate var selectsElements: Bool {
    guard case .pooling(let box) = attributes, box.kind == .maximum else { return false }
    // Where windows overlap, an element receives the sum of several gradients.
    return box.pass != .backward || all(box.stride .>= WindowPositions.span(kernel: box.window, dilation: box.dilation))
  }

  /// Whether the node is a cast of `float32` numbers to 16 bits.
  fileprivate var isNarrowing: Bool { op === Op.cast && inputTypes[0].dtype == .float32 }
}
