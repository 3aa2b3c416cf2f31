import ApusNN
import ApusTensor

/// What a layer gives while its model runs.
public struct LayerOutput: Sendable {
  /// The keys on the way to the layer, joined by dots.
  public var path: String
  /// The layer itself.
  public var layer: any Module
  /// `[batch, …]`
  public var output: Tensor

  /// The name of the layer's type.
  public var type: String { Swift.type(of: layer).typeName }
}

extension Layer {
  /// The outputs of the layers that run for some inputs, in their order; of layers that consist of others, those of the
  /// inner ones. The model is in inference.
  ///
  /// - Parameter x: `[batch, …]`
  /// - Returns: the outputs of the layers, and that of the model.
  public func layerOutputs(for x: Tensor) -> (layers: [LayerOutput], output: Tensor) {
    let (records, output) = withMode(.inference) { LayerTrace.run(self, x) }
    let layers = records.filter { !$0.isContainer }
    return (layers.map { LayerOutput(path: $0.path, layer: $0.layer, output: $0.output) }, output)
  }
}
