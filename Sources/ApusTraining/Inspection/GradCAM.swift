import ApusNN
import ApusTensor

extension Layer {
  /// Where in an image a class is seen: `relu(Σ_k α_k A_k)` over the channels of a convolution's output `A`, with
  /// `α_k = mean ∂ score / ∂ A_k` over the positions (Selvaraju et al.: "Grad-CAM: visual explanations from deep networks
  /// via gradient-based localization", 2017). The model is in inference.
  ///
  /// - Parameters:
  ///   - x: `[batch, channels, height, width]`
  ///   - classes: integers `[batch]`; the classes with the largest scores when left out.
  ///   - path: the layer whose output is taken, by its keys joined by dots; the last convolution when left out.
  /// - Returns: `[batch, rows, columns]` with the extents of the layer's output, not negative; `nil` where there is no
  ///   such layer, or it does not give images.
  /// - Precondition: the model gives `[batch, classes]`.
  public func gradCAM(of x: Tensor, classes: Tensor? = nil, at path: String? = nil) -> Tensor? {
    recordingGradients {
      let (layers, output) = layerOutputs(for: x)
      let found = layers.last { layer in
        layer.output.rank == 4 && (path.map { $0 == layer.path } ?? (layer.layer is Conv2d))
      }
      guard let maps = found?.output else { return nil }
      let gradient = gradients(of: classScore(output, classes), withRespectTo: [maps])[0]
      return (gradient.mean(axes: [2, 3], keepingAxes: true) * maps).sum(axis: 1).relu()
    }
  }
}
