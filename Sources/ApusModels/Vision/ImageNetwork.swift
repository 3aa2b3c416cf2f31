import ApusNN
import ApusTensor

/// A chain of layers from images to classes.
public struct ImageNetwork: Hashable, Sendable {
  /// The chain of layers.
  public let layers: LayerList
  /// The size of one input, `[channels, height, width]`.
  public let inputSize: [Int]

  public init(layers: LayerList, inputSize: [Int] = [1, 28, 28]) {
    self.layers = layers
    self.inputSize = inputSize
  }
}

extension ImageNetwork {
  /// The model for other inputs or classes than its own.
  ///
  /// - Parameters:
  ///   - input: the extents of one example, `[channels, height, width]`.
  ///   - classes: the number of outputs, which the last dense layer gives.
  /// - Throws: an error that names the layer where the model does not fit the input.
  public func model(input: [Int]? = nil, classes: Int? = nil) throws(LayerListError) -> Sequential {
    try layers(giving: classes).model(for: input ?? inputSize)
  }

  /// The layers, the last one with another number of outputs if it is a dense one.
  private func layers(giving outputs: Int?) -> LayerList {
    var list = layers
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
  ///   - outputs: the number of outputs of the last dense layer. `nil` leaves a model as it is written.
  /// - Throws: an error of the last layer unless there is an output for each class.
  public func classifier(input: [Int], classes: Int, outputs: Int?) throws(LayerListError) -> Sequential {
    let list = layers(giving: outputs)
    let given = try list.stages(for: input).last?.output ?? input
    guard given.count == 1, given[0] == classes || given[0] > classes && outputs == given[0] else {
      let values = given.map(String.init).joined(separator: "x")
      throw LayerListError(
        kind: .fit, position: layers.layers.count, layer: layers.layers.last?.description ?? "",
        reason: "gives \(values) values, the data have \(classes) classes; the last layer should be dense \(classes)")
    }
    return try list.model(for: input)
  }

  /// Refuses a model that a device cannot train, before any of its parameters is made: each takes room for its value,
  /// its gradient, and what the optimizer keeps.
  /// - Parameter outputs: as for `classifier`.
  public func checkMemory(
    input: [Int], outputs: Int?, rule: any UpdateRule, device: ComputeDevice = .current
  ) throws {
    let parameters = try layers(giving: outputs).stages(for: input).reduce(0) { $0 + $1.parameterCount }
    try ModelDescription.checkMemory(parameters: parameters, rule: rule, device: device)
  }
}
