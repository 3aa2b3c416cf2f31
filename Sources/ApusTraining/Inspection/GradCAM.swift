import ApusNN
import ApusTensor

extension Layer {
  /// The image regions that support a class: `relu(Σ_k α_k A_k)` over the channels `k` of a convolution's output `A`.
  /// `α_k` is the mean of `∂ score / ∂ A_k` over the positions (Selvaraju et al.: "Grad-CAM: visual explanations from
  /// deep networks via gradient-based localization", 2017). The model runs in inference mode.
  ///
  /// - Parameters:
  ///   - x: `[batch, channels, height, width]`
  ///   - classes: integers `[batch]`; `nil` for the classes with the largest scores.
  ///   - path: the layer whose output is used, by its name in a `LayerTrace`; `nil` for the last convolution.
  /// - Returns: nonnegative numbers `[batch, height, width]`, with the height and width of the layer's output; `nil` if
  ///   there is no such layer or its output is not of rank 4.
  /// - Precondition: the model returns `[batch, classes]`.
  public func gradCAM(of x: Tensor, classes: Tensor? = nil, at path: String? = nil) -> Tensor? {
    recordingGradients {
      let trace = withMode(.inference) { LayerTrace(of: self, on: x) }
      let found = trace.layers.last { record in
        record.output.rank == 4 && (path.map { $0 == record.path } ?? (record.layer is Conv2d))
      }
      guard let maps = found?.output else { return nil }
      let gradient = gradients(of: classScore(trace.output, classes), withRespectTo: [maps])[0]
      return (gradient.mean(axes: [2, 3], keepingAxes: true) * maps).sum(axis: 1).relu()
    }
  }
}
