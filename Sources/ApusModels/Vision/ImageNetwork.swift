import ApusNN
import ApusTensor

/// A network from images to classes: a chain of layers, or a published network.
public struct ImageNetwork: Hashable, Sendable {
  /// The kind of network.
  public enum Body: Hashable, Sendable {
    case layers(LayerList)
    case published(PublishedNetwork)
  }

  /// The kind of network.
  public let body: Body
  /// The default size of one input, `[channels, height, width]`.
  public let inputSize: [Int]

  /// A chain of layers.
  public init(layers: LayerList, inputSize: [Int] = [1, 28, 28]) {
    body = .layers(layers)
    self.inputSize = inputSize
  }

  /// A published network, with its default input size.
  public init(_ network: PublishedNetwork) {
    body = .published(network)
    inputSize = network.inputSize
  }

  /// The default number of outputs; `nil` for a chain whose last layer is not dense.
  public var classes: Int? {
    switch body {
    case .layers(let list): if case .dense(let units, _)? = list.layers.last { units } else { nil }
    case .published(let network): network.classes
    }
  }

  /// The chain of layers; `nil` for a published network.
  public var layers: LayerList? { if case .layers(let list) = body { list } else { nil } }

  /// Whether the network has a different form for each `ImageStem`; `false` for a chain of layers.
  public var hasStems: Bool { if case .published(let network) = body { network.hasStems } else { false } }
}

extension ImageNetwork {
  /// The model. By default, `input` and `classes` are the network's own `inputSize` and `classes`. The model takes
  /// `[batch, channels, height, width]` and returns `[batch, classes]`, or `[batch, …]` if the last layer of a chain is
  /// not dense.
  ///
  /// - Parameters:
  ///   - input: the extents of one example, `[channels, height, width]`.
  ///   - classes: the number of outputs. A chain whose last layer is not dense ignores this number.
  ///   - stem: the stem of a published network; `nil` for the stem that fits the input.
  /// - Throws: `LayerListError` with the first layer of a chain that does not fit its input, or `ModelError` if a
  ///   published network does not fit `input` or `stem`.
  public func model(input: [Int]? = nil, classes: Int? = nil, stem: ImageStem? = nil) throws -> any Layer {
    switch body {
    case .layers: return try layers(giving: classes).model(for: input ?? inputSize)
    case .published(let network): return try network.model(input: input, classes: classes, stem: stem)
    }
  }

  /// The chain of layers. If `outputs` is given and the last layer is dense, that layer gets `outputs` outputs.
  private func layers(giving outputs: Int?) -> LayerList {
    var list = layers ?? LayerList([])
    if let outputs, case .dense(_, let hasBias)? = list.layers.last {
      list.layers[list.layers.count - 1] = .dense(units: outputs, hasBias: hasBias)
    }
    return list
  }
}

extension ImageNetwork {
  /// The model for data with `classes` classes: `[batch, channels, height, width]` to `[batch, outputs]`.
  ///
  /// - Parameters:
  ///   - input: the extents of one example, `[channels, height, width]`.
  ///   - classes: the number of classes of the data.
  ///   - outputs: the number of outputs. With `nil` a chain of layers is unchanged, and a published network has one
  ///     output for each class.
  ///   - stem: as for `model`.
  /// - Throws: `LayerListError` or `ModelError` if the model has fewer outputs than there are classes, if it has more
  ///   outputs than `classes` and `outputs` does not request them, or if the model does not fit `input` or `stem`.
  public func classifier(input: [Int], classes: Int, outputs: Int?, stem: ImageStem? = nil) throws -> any Layer {
    guard case .layers = body else {
      guard outputs ?? classes >= classes else {
        throw ModelError.misfit("\(outputs ?? 0) outputs are fewer than the \(classes) classes of the data")
      }
      return try model(input: input, classes: outputs ?? classes, stem: stem)
    }
    let list = layers(giving: outputs)
    let given = try list.stages(for: input).last?.output ?? input
    guard given.count == 1, given[0] == classes || given[0] > classes && outputs == given[0] else {
      let values = given.map(String.init).joined(separator: "x")
      throw LayerListError(
        kind: .fit, position: list.layers.count, layer: list.layers.last?.description ?? "",
        reason: "gives \(values) values, but the data have \(classes) classes; the last layer must be dense \(classes)")
    }
    return try list.model(for: input)
  }

  /// Throws `ModelError.tooLarge` if a device has too little memory to train a chain of layers. Each parameter needs
  /// memory for its value, its gradient and the optimizer's state. The check allocates no parameter. Published networks
  /// are not checked.
  /// - Parameter outputs: as for `classifier`.
  public func checkMemory(
    input: [Int], outputs: Int?, rule: any UpdateRule, device: ComputeDevice = .current
  ) throws {
    let parameters = try layers(giving: outputs).stages(for: input).reduce(0) { $0 + $1.parameterCount }
    try ModelDescription.checkMemory(parameters: parameters, rule: rule, device: device)
  }
}
