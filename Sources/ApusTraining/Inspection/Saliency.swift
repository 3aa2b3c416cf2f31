import ApusNN
import ApusTensor

extension Layer {
  /// How much the score of a class depends on each pixel: `max_c |∂ score / ∂ x_c|` over the channels (Simonyan,
  /// Vedaldi, Zisserman: "Deep inside convolutional networks: visualising image classification models and saliency
  /// maps", 2013). The model runs in inference mode.
  ///
  /// - Parameters:
  ///   - x: `[batch, channels, …]`
  ///   - classes: integers `[batch]`; `nil` for the classes with the largest scores.
  /// - Returns: `[batch, …]`, not negative.
  /// - Precondition: the model returns `[batch, classes]` and processes the examples of a batch independently.
  public func saliency(of x: Tensor, classes: Tensor? = nil) -> Tensor {
    let gradient = recordingGradients {
      let score = classScore(withMode(.inference) { self(x) }, classes)
      return gradients(of: score, withRespectTo: [x])[0]
    }
    return gradient.abs().max(axis: 1)
  }
}

/// Takes one score of each example: the score of its class in `classes` or, if `classes` is `nil`, the largest score.
/// Returns the sum over the examples.
func classScore(_ outputs: Tensor, _ classes: Tensor?) -> Tensor {
  guard outputs.rank == 2 else {
    ShapeError("classScore", "the model returns \(outputs.shape), not [batch, classes]").report()
    return outputs.sum()
  }
  let chosen = (classes ?? outputs.argmax(axis: 1)).stopGradient()
  return (outputs * chosen.oneHot(outputs.shape[1], dtype: outputs.dtype)).sum()
}
