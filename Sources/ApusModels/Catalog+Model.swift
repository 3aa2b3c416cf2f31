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

extension ModelDescription.Recipe {
  /// The formula of the recipe's optimizer.
  public func rule() throws(OptimizerError) -> any UpdateRule {
    try optimizerRule(optimizer, learningRate: learningRate)
  }
}
