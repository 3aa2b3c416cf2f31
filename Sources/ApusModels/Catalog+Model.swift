import ApusNN
import ApusTensor

extension ModelDescription {
  /// The model for other inputs or classes than its own.
  ///
  /// - Parameters:
  ///   - input: the extents of one example, `[channels, height, width]`.
  ///   - classes: the number of outputs, which the last dense layer gives.
  /// - Throws: an error that names the layer where the model does not fit the input.
  public func model(input: [Int]? = nil, classes: Int? = nil) throws(LayerListError) -> Sequential {
    var list = layers
    if let classes, case .dense(_, let hasBias)? = list.layers.last {
      list.layers[list.layers.count - 1] = .dense(units: classes, hasBias: hasBias)
    }
    return try list.model(for: input ?? inputSize)
  }
}

extension ModelDescription {
  /// The model for data with some classes.
  ///
  /// - Parameters:
  ///   - outputs: the number of outputs of the last dense layer. `nil` leaves a model as it is written.
  /// - Throws: an error of the last layer unless there is an output for each class.
  public func classifier(input: [Int], classes: Int, outputs: Int?) throws(LayerListError) -> Sequential {
    let model = try model(input: input, classes: outputs)
    var given = try layers.stages(for: input).last?.output ?? input
    if let outputs, case .dense = layers.layers.last { given = [outputs] }
    guard given.count == 1, given[0] == classes || given[0] > classes && outputs == given[0] else {
      let values = given.map(String.init).joined(separator: "x")
      throw LayerListError(
        kind: .fit, position: layers.layers.count, layer: layers.layers.last?.description ?? "",
        reason: "gives \(values) values, the data have \(classes) classes; the last layer should be dense \(classes)")
    }
    return model
  }
}

extension ModelDescription.Recipe {
  /// The formula of the recipe's optimizer.
  public func rule() throws(OptimizerError) -> any UpdateRule {
    try optimizerRule(optimizer, learningRate: learningRate)
  }
}
