import ApusNN
import ApusTensor

extension ImageNetwork {
  /// The model for rows of a table, `[batch, width]` to `[batch, outputs]`: the chain of layers, preceded by a
  /// `TableEmbedding` if there are categorical features. In the keys of parameters, this embedding has the index 0, and
  /// the indices of the chain's layers then start at 1.
  ///
  /// - Parameters:
  ///   - width: the number of features.
  ///   - codes: the categorical features, whose values are codes (integers that represent categories).
  ///   - outputs: the number of outputs of the last layer, which is dense: one for each class, or one for a target that
  ///     is a number.
  /// - Throws: `ModelError` if the network is not a chain, has a layer for images or sequences, or does not end with a
  ///   dense layer; `LayerListError` if the layers do not fit each other.
  public func tableModel(width: Int, codes: [TableEmbedding.Code] = [], outputs: Int) throws -> Sequential {
    let list = try tableLayers(outputs)
    let chain = try list.model(for: [TableEmbedding.outputWidth(of: width, codes: codes)])
    return codes.isEmpty ? chain : Sequential([TableEmbedding(width: width, codes: codes)] + chain.layers)
  }

  /// Throws `ModelError.tooLarge` if a device has too little memory to train the model of `tableModel`. The check
  /// allocates no parameter.
  public func checkTableMemory(
    width: Int, codes: [TableEmbedding.Code] = [], outputs: Int, rule: any UpdateRule, device: ComputeDevice = .current
  ) throws {
    let stages = try tableLayers(outputs).stages(for: [TableEmbedding.outputWidth(of: width, codes: codes)])
    let embedded = codes.reduce(0) { $0 + $1.count * TableEmbedding.outputWidth($1.count) }
    try ModelDescription.checkMemory(
      parameters: stages.reduce(embedded) { $0 + $1.parameterCount }, rule: rule, device: device)
  }

  /// Throws if the network is not a chain of layers, or is a chain with a layer that needs images or sequences.
  public func checkTakesTables() throws(ModelError) {
    guard let layers else {
      throw .misfit("the network needs images; tables need a chain of dense layers, such as mlp")
    }
    guard let layer = layers.imageLayer else { return }
    throw .misfit(
      "the layer \(layer.description) needs images or sequences; tables need a chain of dense layers, such as mlp")
  }

  private func tableLayers(_ outputs: Int) throws -> LayerList {
    try checkTakesTables()
    guard var list = layers, case .dense(_, let hasBias)? = list.layers.last else {
      throw ModelError.misfit("the last layer must be dense \(outputs)")
    }
    list.layers[list.layers.count - 1] = .dense(units: outputs, hasBias: hasBias)
    return list
  }
}

extension LayerList {
  /// The first layer that needs images or sequences.
  fileprivate var imageLayer: Layer? {
    for layer in layers {
      switch layer {
      case .convolution, .pooling, .globalPooling, .rows, .recurrent: return layer
      case .dense, .flatten, .batchNorm, .dropout, .activation: continue
      case .link(let link): if let found = link.branches.lazy.compactMap(\.imageLayer).first { return found }
      }
    }
    return nil
  }
}
