import ApusDevice

extension Planner {
  /// Makes products and convolutions of 16-bit numbers `float32` steps, on devices that compute these faster: operands
  /// are cast to `float32` once for all steps that read them, mostly in the program that computes them, and the result
  /// is rounded to 16 bits in the step's epilogue. The sums are the same, since devices add up 16-bit numbers in
  /// `float32` anyway.
  mutating func widenHalfPrecision() {
    guard device.prefersFloat32Products else { return }
    var widened: [WidenedInput: Int] = [:]
    for index in nodes.indices where nodes[index].isHalfPrecisionProduct {
      var node = nodes[index]
      let region = node.region
      node.inputs = node.inputs.map { widen($0, region: region, &widened) }
      node.inputTypes = node.inputs.map { nodes[$0].type }
      node.dtype = .float32
      let product = append(node)
      nodes[index] = GraphNode.cast(of: product, nodes[product].type, to: nodes[index].dtype, region: region)
    }
  }

  /// An operand, and the checkpoint region that reads it: values are not shared between regions.
  private struct WidenedInput: Hashable {
    var input: Int
    var region: UInt32
  }

  /// The elements of a node as `float32`. A view becomes the same view of its base, which is cast in its own order.
  private mutating func widen(_ input: Int, region: UInt32, _ widened: inout [WidenedInput: Int]) -> Int {
    let key = WidenedInput(input: input, region: region)
    if let known = widened[key] { return known }
    var node = nodes[input]
    if case .view = node.kind {
      node.inputs = [widen(node.inputs[0], region: region, &widened)]
      node.inputTypes = [nodes[node.inputs[0]].type]
      node.dtype = .float32
    } else {
      node = .cast(of: input, node.type, to: .float32, region: region)
    }
    let index = append(node)
    widened[key] = index
    return index
  }
}

extension GraphNode {
  fileprivate static func cast(of input: Int, _ type: TensorType, to dtype: DType, region: UInt32) -> GraphNode {
    guard case .elementwise(let emit) = Op.cast.lower else { fatalError("planner: cast is not elementwise") }
    return GraphNode(
      op: .cast, attributes: .integers([Int(dtype.rawValue)]), shape: type.shape, dtype: dtype, inputs: [input],
      inputTypes: [type], region: region, kind: .elementwise(emit))
  }

  /// Whether the node is a matrix product or a convolution of 16-bit floating-point numbers.
  fileprivate var isHalfPrecisionProduct: Bool {
    guard dtype == .float16 || dtype == .bfloat16, case .step = kind else { return false }
    if case .convolution = attributes { return true }
    return op === Op.matmul
  }
}
