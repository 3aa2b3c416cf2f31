import ApusNN
import ApusTensor

extension ImageNetwork {
  /// The model for rows of a table: the chain of layers, behind a `TableEmbedding` where features hold codes. Its keys
  /// then count from 1.
  ///
  /// - Parameters:
  ///   - width: the number of features.
  ///   - codes: those that hold codes.
  ///   - outputs: those of the last layer, which is dense: one for each class, or one for a number.
  /// - Throws: `ModelError` unless this is a chain of layers that take features, `LayerListError` where they do not fit.
  public func tableModel(width: Int, codes: [TableEmbedding.Code] = [], outputs: Int) throws -> Sequential {
    let list = try tableLayers(outputs)
    let chain = try list.model(for: [TableEmbedding.outputWidth(of: width, codes: codes)])
    return codes.isEmpty ? chain : Sequential([TableEmbedding(width: width, codes: codes)] + chain.layers)
  }

  /// Refuses a model of a table that a device cannot train, before any of its parameters is made.
  public func checkTableMemory(
    width: Int, codes: [TableEmbedding.Code] = [], outputs: Int, rule: any UpdateRule, device: ComputeDevice = .current
  ) throws {
    let stages = try tableLayers(outputs).stages(for: [TableEmbedding.outputWidth(of: width, codes: codes)])
    let embedded = codes.reduce(0) { $0 + $1.count * TableEmbedding.outputWidth($1.count) }
    try ModelDescription.checkMemory(
      parameters: stages.reduce(embedded) { $0 + $1.parameterCount }, rule: rule, device: device)
  }

  /// Refuses networks that take images alone.
  public func checkTakesTables() throws(ModelError) {
    guard let layers else {
      throw .misfit("the network takes images; a table is for chains of dense layers, such as mlp")
    }
    guard let layer = layers.imageLayer else { return }
    throw .misfit(
      "the layer \(layer.description) takes images; a table is for chains of dense layers, such as mlp")
  }

  private func tableLayers(_ outputs: Int) throws -> LayerList {
    try checkTakesTables()
    guard var list = layers, case .dense(_, let hasBias)? = list.layers.last else {
      throw ModelError.misfit("the last layer should be dense \(outputs)")
    }
    list.layers[list.layers.count - 1] = .dense(units: outputs, hasBias: hasBias)
    return list
  }
}

extension LayerList {
  /// The first layer that takes no features.
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
