import ApusDevice

extension Planner {
  /// Converts the images of convolutions to channels-last order where the device prefers it, and keeps that order in
  /// elementwise operations, most reductions, and pooling over one or two axes. All other operations, and outputs, get
  /// a transposed view of the images. The view is copied for outputs, and for steps that cannot read its layout.
  mutating func orderChannels() {
    guard nodes.indices.contains(where: { preference(of: $0).condition != .never }) else { return }
    indexUsers()
    var order = ChannelsLastPolicy()
    for index in topologicalOrder() {
      switch nodes[index].kind {
      case .step: orderStep(index, &order)
      case .elementwise: orderElementwise(index, &order)
      case .reduction: orderReduction(index, &order)
      default: break
      }
    }
  }

  /// The nodes that are available in channels-last order.
  private struct ChannelsLastPolicy {
    /// For each converted node, the node that holds its elements in channels-last order.
    var holders: [Int: Int] = [:]
    /// For each other node that a channels-last node reads, its channels-last view.
    var views: [Int: Int] = [:]
  }

  /// The permutation from channels-first to channels-last order, `[0, 2, 3, …, 1]`.
  private static func channelsLast(_ rank: Int) -> [Int] { [0] + Array(2..<rank) + [1] }
  /// The inverse permutation, `[0, rank − 1, 1, 2, …]`.
  private static func channelsFirst(_ rank: Int) -> [Int] { [0, rank - 1] + Array(1..<rank - 1) }

  private func reordered(_ shape: Shape) -> Shape {
    Shape(Planner.channelsLast(shape.rank).map { shape[$0] })
  }

  /// A node with the elements of `node`, broadcast to `shape`, in channels-last order.
  private mutating func withChannelsLast(_ node: Int, over shape: Shape, _ order: inout ChannelsLastPolicy) -> Int {
    if let holder = order.holders[node], nodes[node].shape.rank == shape.rank { return holder }
    if isUniform(node) { return node }
    if let view = order.views[node], nodes[view].shape == reordered(shape) { return view }
    var transforms: [ViewTransform] = nodes[node].shape == shape ? [] : [.broadcast(shape)]
    transforms.append(.transpose(Planner.channelsLast(shape.rank)))
    var view = nodes[node]
    view.op = .transpose
    view.shape = reordered(shape)
    view.inputs = [node]
    view.kind = .view(transforms)
    let index = append(view)
    order.views[node] = index
    return index
  }

  /// Appends `node` and makes node `index` a channels-first view of it.
  private mutating func replace(_ index: Int, by node: GraphNode, _ order: inout ChannelsLastPolicy) {
    let holder = append(node)
    order.holders[index] = holder
    nodes[index].op = .transpose
    nodes[index].inputs = [holder]
    nodes[index].kind = .view([.transpose(Planner.channelsFirst(nodes[index].shape.rank))])
  }

  private mutating func orderStep(_ index: Int, _ order: inout ChannelsLastPolicy) {
    var node = nodes[index]
    let preference = preference(of: index)
    switch node.attributes {
    case .convolution(let box) where preference.condition != .never:
      let images = box.pass == .weightGradient ? [0, 1] : [0]
      let haveChannelsLast = images.contains { order.holders[node.inputs[$0]] != nil }
      if !haveChannelsLast, preference.condition == .ifConverted { return }
      if !haveChannelsLast, preference.condition == .ifChained, !leadsToConvolution(index) { return }
      let isMixed = preference.readsChannelsFirst && order.holders[node.inputs[0]] == nil
      // If the input is not in channels-last order and no user can read that order, the convolution stays
      // channels-first.
      if isMixed, box.pass == .output, !users[index].contains(where: { canKeepOrder($0) }) { return }
      if isMixed, box.pass == .weightGradient, order.holders[node.inputs[1]] == nil { return }
      for image in images where image != 0 || !isMixed {
        let input = node.inputs[image]
        node.inputs[image] = withChannelsLast(input, over: nodes[input].shape, &order)
      }
      node.attributes = .convolution(box.inOrder(isMixed ? .mixed : .channelsLast))
      if box.pass == .weightGradient {
        nodes[index] = node
      } else {
        node.shape = reordered(node.shape)
        replace(index, by: node, &order)
      }
    case .pooling(let box) where node.inputs.contains { order.holders[$0] != nil }:
      guard let pooling = box.withChannelsLast else { return }
      for position in node.inputs.indices {
        let input = node.inputs[position]
        node.inputs[position] = withChannelsLast(input, over: nodes[input].shape, &order)
      }
      node.attributes = .pooling(pooling)
      node.shape = reordered(node.shape)
      replace(index, by: node, &order)
    default: break
    }
  }

  /// The device's channels-last preference for the images of a node.
  private func preference(of index: Int) -> ChannelsLastPreference {
    guard case .convolution(let box) = nodes[index].attributes, box.order == .channelsFirst else { return .never }
    return device.channelsLast(box.geometry, box.pass, nodes[index].dtype, box.inputPrecision)
  }

  /// Whether a forward convolution reads the node directly, or through nodes that keep channels-last order.
  private func leadsToConvolution(_ index: Int) -> Bool {
    var seen: Set<Int> = []
    var stack = users[index]
    while let user = stack.popLast() {
      guard seen.insert(user).inserted, canKeepOrder(user) else { continue }
      if case .convolution(let box) = nodes[user].attributes {
        if box.pass == .output { return true }
      } else {
        stack += users[user]
      }
    }
    return false
  }

  /// Whether a node can read its inputs in channels-last order.
  private func canKeepOrder(_ index: Int) -> Bool {
    switch nodes[index].kind {
    case .elementwise, .reduction: return true
    case .step:
      switch nodes[index].attributes {
      case .convolution: return preference(of: index).condition != .never
      case .pooling(let box): return box.withChannelsLast != nil
      default: return false
      }
    default: return false
    }
  }

  private mutating func orderElementwise(_ index: Int, _ order: inout ChannelsLastPolicy) {
    var node = nodes[index]
    guard node.inputs.contains(where: { order.holders[$0] != nil && nodes[$0].shape == node.shape }) else { return }
    node.inputs = node.inputs.map { withChannelsLast($0, over: node.shape, &order) }
    node.shape = reordered(node.shape)
    replace(index, by: node, &order)
  }

  private mutating func orderReduction(_ index: Int, _ order: inout ChannelsLastPolicy) {
    var node = nodes[index]
    guard let input = order.holders[node.inputs[0]] else { return }
    let rank = nodes[input].shape.rank
    let keepsAxes = node.attributes.integers[0] == 1
    let axes = Set(node.attributes.integers.dropFirst())
    let permutation = Planner.channelsLast(rank)
    let reduced = permutation.indices.filter { axes.contains(permutation[$0]) }
    // With several axes, `argmin` and `argmax` number the elements in the order of the axes, so they read the
    // channels-first view.
    guard axes.count == 1 || node.op !== Op.argmin && node.op !== Op.argmax else { return }
    let left = permutation.filter { !axes.contains($0) }
    node.inputs[0] = input
    node.inputTypes = [nodes[input].type]
    node.attributes = .integers([keepsAxes ? 1 : 0] + reduced)
    if left == left.sorted() {
      // The reduction keeps the order of the remaining axes, so its result has the same memory layout as for
      // channels-first images.
      nodes[index] = node
    } else if keepsAxes {
      node.shape = reordered(node.shape)
      replace(index, by: node, &order)
    }
  }
}

extension ConvolutionBox {
  /// The same convolution on images in another order.
  fileprivate func inOrder(_ order: Convolution.Order) -> ConvolutionBox {
    ConvolutionBox(pass: pass, geometry: geometry, inputPrecision: inputPrecision, shape: shape, order: order)
  }
}

extension PoolingBox {
  /// The same pooling on channels-last images: channels become a third spatial axis with windows of one element. `nil`
  /// if the images have three spatial axes.
  fileprivate var withChannelsLast: PoolingBox? {
    guard inputShape.rank <= 4, input.x == 1, window.x == 1, stride.x == 1 else { return nil }
    func reordered(_ extents: SIMD3<Int>, _ channels: Int) -> SIMD3<Int> { SIMD3(extents.y, extents.z, channels) }
    func reordered(_ shape: Shape) -> Shape { Shape([shape[0]] + (2..<shape.rank).map { shape[$0] } + [shape[1]]) }
    let channels = inputShape[1]
    return PoolingBox(
      kind: kind, pass: pass, countsPadding: countsPadding, planes: inputShape[0], input: reordered(input, channels),
      window: reordered(window, 1), output: reordered(output, channels), stride: reordered(stride, 1),
      padding: reordered(padding, 0), dilation: reordered(dilation, 1), inputShape: reordered(inputShape),
      outputShape: reordered(outputShape))
  }
}
