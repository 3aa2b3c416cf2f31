import ApusNN
import ApusTensor

/// A network from images to classes: a chain of layers, or one that has been published.
public struct ImageNetwork: Hashable, Sendable {
  /// What it consists of.
  public enum Body: Hashable, Sendable {
    case layers(LayerList)
    case published(PublishedNetwork)
  }

  /// What it consists of.
  public let body: Body
  /// The size of one input as it is written or published, `[channels, height, width]`.
  public let inputSize: [Int]

  /// A chain of layers.
  public init(layers: LayerList, inputSize: [Int] = [1, 28, 28]) {
    body = .layers(layers)
    self.inputSize = inputSize
  }

  /// A network as it is published.
  public init(_ network: PublishedNetwork) {
    body = .published(network)
    inputSize = network.inputSize
  }

  /// The number of outputs as it is written or published; `nil` where the last layer does not say it.
  public var classes: Int? {
    switch body {
    case .layers(let list): if case .dense(let units, _)? = list.layers.last { units } else { nil }
    case .published(let network): network.classes
    }
  }

  /// The chain of layers, where it is one.
  public var layers: LayerList? { if case .layers(let list) = body { list } else { nil } }
}

extension ImageNetwork {
  /// The model for other inputs or classes than its own.
  ///
  /// - Parameters:
  ///   - input: the extents of one example, `[channels, height, width]`.
  ///   - classes: the number of outputs; of a chain those of the last dense layer.
  ///   - stem: what stands ahead of a published network; `nil` for what fits the input.
  /// - Throws: `LayerListError` or `ModelError`, with the layer where the model does not fit the input.
  public func model(input: [Int]? = nil, classes: Int? = nil, stem: ImageStem? = nil) throws -> any Layer {
    switch body {
    case .layers: return try layers(giving: classes).model(for: input ?? inputSize)
    case .published(let network): return try network.model(input: input, classes: classes, stem: stem)
    }
  }

  /// The layers, the last one with another number of outputs if it is a dense one.
  private func layers(giving outputs: Int?) -> LayerList {
    var list = layers ?? LayerList([])
    if let outputs, case .dense(_, let hasBias)? = list.layers.last {
      list.layers[list.layers.count - 1] = .dense(units: outputs, hasBias: hasBias)
    }
    return list
  }
}

extension ImageNetwork {
  /// The model for data with some classes.
  ///
  /// - Parameters:
  ///   - outputs: the number of outputs. `nil` leaves a chain of layers as it is written, and gives a published network
  ///     one for each class.
  ///   - stem: as for `model`.
  /// - Throws: an error of the last layer unless there is an output for each class.
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
        reason: "gives \(values) values, the data have \(classes) classes; the last layer should be dense \(classes)")
    }
    return try list.model(for: input)
  }

  /// Refuses a chain of layers that a device cannot train, before any of its parameters is made: each takes room for its
  /// value, its gradient, and what the optimizer keeps.
  /// - Parameter outputs: as for `classifier`.
  public func checkMemory(
    input: [Int], outputs: Int?, rule: any UpdateRule, device: ComputeDevice = .current
  ) throws {
    let parameters = try layers(giving: outputs).stages(for: input).reduce(0) { $0 + $1.parameterCount }
    try ModelDescription.checkMemory(parameters: parameters, rule: rule, device: device)
  }
}
