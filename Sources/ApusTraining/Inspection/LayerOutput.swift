import ApusNN
import ApusTensor

/// The output of a layer in a run of its model.
public struct LayerOutput: Sendable {
  /// The keys that lead to the layer, joined by dots.
  public var path: String
  /// The layer itself.
  public var layer: any Module
  /// `[batch, …]`
  public var output: Tensor

  /// The name of the layer's type.
  public var type: String { Swift.type(of: layer).typeName }
}

extension Layer {
  /// The outputs of the layers that run for an input, in execution order. A layer that contains others is replaced by
  /// the inner layers. The model runs in inference mode.
  ///
  /// - Parameter x: `[batch, …]`
  /// - Returns: the outputs of the layers, and the output of the model.
  public func layerOutputs(for x: Tensor) -> (layers: [LayerOutput], output: Tensor) {
    let (records, output) = withMode(.inference) { LayerTrace.run(self, x) }
    let layers = records.filter { !$0.isContainer }
    return (layers.map { LayerOutput(path: $0.path, layer: $0.layer, output: $0.output) }, output)
  }
}
