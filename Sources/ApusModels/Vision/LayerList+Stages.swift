import ApusTensor

extension LayerList {
  /// A layer with its input and output shapes.
  public struct Stage: Hashable, Sendable {
    /// A layer of the list, or a `flatten` that `stages(for:)` inserted.
    public var layer: Layer
    /// The shape of the input without the batch: `[channels, height, width]`, `[time, features]` or `[features]`.
    public var input: [Int]
    /// The shape of the output without the batch, in one of the forms of `input`.
    public var output: [Int]
    /// The stages of each branch of a link (`residual` or `concat`); empty for other layers.
    public var branches: [[Stage]] = []
  }

  /// Computes the shapes of all layers for an input.
  ///
  /// A dense layer requires flat features: if necessary a `flatten` is inserted before it.
  /// - Parameter input: `[channels, height, width]` or `[features]`.
  public func stages(for input: [Int]) throws(LayerListError) -> [Stage] {
    var stages: [Stage] = []
    var shape = input
    var work = 0
    if let last = layers.last, layerCount > LayerFit.mostLayers {
      throw LayerFit(position: layers.count, layer: last).failure(
        "the list has \(layerCount) layers, more than the limit of \(LayerFit.mostLayers)")
    }
    for (index, layer) in layers.enumerated() {
      let fit = LayerFit(position: index + 1, layer: layer)
      if case .dense = layer, shape.count > 1 {
        let flat = try fit.output(of: .flatten, shape)
        stages.append(Stage(layer: .flatten, input: shape, output: flat))
        shape = flat
      }
      let stage: Stage
      if case .link(let link) = layer {
        stage = try fit.stage(of: link, shape)
      } else {
        stage = Stage(layer: layer, input: shape, output: try fit.output(of: layer, shape))
      }
      work += stage.multiplyAddCount
      guard work <= LayerFit.largestWork else { throw fit.tooMuchWork }
      stages.append(stage)
      shape = stage.output
    }
    return stages
  }
}

extension LayerList {
  /// The number of layers. A link counts once, plus the layers in its branches. A recurrent layer counts once for each
  /// of its stacked layers.
  fileprivate var layerCount: Int {
    layers.reduce(0) { count, layer in
      switch layer {
      case .link(let link): count + 1 + link.branches.reduce(0) { $0 + $1.layerCount }
      case .recurrent(let layer): count + layer.layers
      default: count + 1
      }
    }
  }
}

extension LayerFit {
  /// Computes the shapes of a link's branches and of its output for an input shape.
  fileprivate func stage(of link: LayerList.Link, _ shape: [Int]) throws(LayerListError) -> LayerList.Stage {
    var stage = LayerList.Stage(layer: layer, input: shape, output: [])
    for branch in link.branches {
      do throws(LayerListError) {
        stage.branches.append(try branch.stages(for: shape))
      } catch {
        throw failure("\(error)")
      }
    }
    guard !link.branches.isEmpty else { throw failure("has no branches") }
    var outputs = stage.branches.map { $0.last?.output ?? shape }
    if outputs.count == 1 { outputs.append(shape) }
    let sizes = outputs.map { $0.map(String.init).joined(separator: "x") }.joined(separator: " and ")
    stage.output = outputs[0]
    switch link.kind {
    case .residual:
      guard outputs.allSatisfy({ $0 == outputs[0] }) else {
        throw failure(
          "cannot add \(sizes): the sizes differ"
            + (link.branches.count == 1 ? "; a second branch after | can change the size of the input" : ""))
      }
    case .concat:
      guard outputs.allSatisfy({ $0.dropFirst() == outputs[0].dropFirst() && $0.count != 2 }) else {
        throw failure("cannot concatenate \(sizes): heights and widths must be equal, and sequences are not supported")
      }
      stage.output[0] = outputs.reduce(0) { $0 + $1[0] }
      _ = try product(stage.output)
    }
    return stage
  }
}

/// Checks whether a layer fits its input, and computes the output shape. The errors name the layer.
private struct LayerFit {
  /// The maximum number of multiplications for one example, low enough that sums over a batch do not overflow.
  static let largestWork = 1 << 50
  /// The maximum number of elements of a tensor. In float32, 2^40 elements take 4 TiB.
  static let largestTensor = 1 << 40
  /// The maximum number of layers, about four times the depth of the deepest published networks.
  static let mostLayers = 4096

  let position: Int
  let layer: LayerList.Layer

  var tooMuchWork: LayerListError { failure("up to this layer, one example needs more than 2^50 operations") }

  func failure(_ reason: String) -> LayerListError {
    LayerListError(kind: .fit, position: position, layer: layer.description, reason: reason)
  }

  func output(of layer: LayerList.Layer, _ shape: [Int]) throws(LayerListError) -> [Int] {
    switch layer {
    case .convolution(let layer): return try convolution(layer, shape)
    case .pooling(let layer): return try pooling(layer, shape)
    case .globalPooling: return [try image(shape)[0]]
    case .dense(let units, _):
      _ = try product([units, shape.reduce(1, *)])
      return [units]
    case .flatten: return [try product(shape)]
    case .rows:
      let image = try image(shape)
      return [image[1], try product([image[0], image[2]])]
    case .recurrent(let layer):
      guard shape.count == 2 else {
        throw failure("needs a sequence [time, features], but its input is \(shape); rows converts an image")
      }
      _ = try product([4 * layer.layers, layer.outputCount, layer.outputCount + shape[1]])
      return layer.givesAll ? [shape[0], layer.outputCount] : [layer.outputCount]
    case .batchNorm:
      guard shape.count != 2 else { throw failure("needs images or features, but its input is a sequence \(shape)") }
      return shape
    // The output of a link is computed from its branches.
    case .dropout, .activation, .link: return shape
    }
  }

  private func convolution(_ layer: LayerList.Convolution, _ shape: [Int]) throws(LayerListError) -> [Int] {
    let channels = try image(shape)[0]
    guard channels % layer.groups == 0, layer.filters % layer.groups == 0 else {
      throw failure("\(layer.groups) groups must divide both \(channels) channels and \(layer.filters) filters")
    }
    let padding = layer.resolvedPadding
    if layer.padding == nil {
      let shrinkage = layer.shrinkage
      guard shrinkage.height % 2 == 0, shrinkage.width % 2 == 0, layer.stride == .init(1, 1) else {
        throw failure("pad same needs an odd kernel and stride 1")
      }
    }
    let height = try extent(
      shape[1], "height", layer.kernel.height, layer.stride.height, padding.height, layer.dilation.height)
    let width = try extent(
      shape[2], "width", layer.kernel.width, layer.stride.width, padding.width, layer.dilation.width)
    let window = try product([channels / layer.groups, layer.kernel.height, layer.kernel.width])
    _ = try product([layer.filters, window])
    try checkWork(try product([layer.filters, height, width]), window)
    return [layer.filters, height, width]
  }

  private func pooling(_ layer: LayerList.Pooling, _ shape: [Int]) throws(LayerListError) -> [Int] {
    let channels = try image(shape)[0]
    guard 2 * layer.padding.height <= layer.window.height, 2 * layer.padding.width <= layer.window.width else {
      throw failure("the padding is more than half of the window")
    }
    let output = [
      channels,
      try extent(shape[1], "height", layer.window.height, layer.stride.height, layer.padding.height, 1),
      try extent(shape[2], "width", layer.window.width, layer.stride.width, layer.padding.width, 1),
    ]
    // Each extent of the window is at most 2^24 by the grammar, so the product does not overflow.
    try checkWork(try product(output), layer.window.height * layer.window.width)
    return output
  }

  /// Throws if a layer that reads a window for each output needs too many multiplications.
  private func checkWork(_ outputCount: Int, _ window: Int) throws(LayerListError) {
    let (work, overflow) = outputCount.multipliedReportingOverflow(by: window)
    guard !overflow, work <= LayerFit.largestWork else { throw tooMuchWork }
  }

  private func image(_ shape: [Int]) throws(LayerListError) -> [Int] {
    guard shape.count == 3 else {
      throw failure("needs images [channels, height, width], but its input is \(shape)")
    }
    return shape
  }

  /// The number of windows along an axis.
  private func extent(
    _ extent: Int, _ name: String, _ kernel: Int, _ stride: Int, _ padding: Int, _ dilation: Int
  ) throws(LayerListError) -> Int {
    let padded = extent + 2 * padding
    let positions = WindowPositions(in: padded, kernel: kernel, stride: stride, dilation: dilation)
    guard positions.room >= 0 else {
      throw failure("needs a \(name) of at least \(positions.span), but its input has \(padded) (padding included)")
    }
    return positions.count
  }

  /// The product of extents. Throws if it is above `largestTensor`.
  fileprivate func product(_ extents: [Int]) throws(LayerListError) -> Int {
    var product = 1
    for extent in extents {
      let (next, overflow) = product.multipliedReportingOverflow(by: extent)
      guard !overflow, next <= LayerFit.largestTensor else {
        throw failure(
          "a tensor of \(extents.map(String.init).joined(separator: " x ")) elements is too large: the limit is 2^40")
      }
      product = next
    }
    return product
  }
}
