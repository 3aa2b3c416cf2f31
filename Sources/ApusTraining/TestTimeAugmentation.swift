import ApusNN
import ApusTensor

/// The views of each image on which an image model runs in evaluation and prediction; the outputs for these views are
/// averaged. The model takes `x: [batch, channels, height, width]`.
public enum TestTimeAugmentation: String, CaseIterable, Hashable, Sendable {
  /// The image itself.
  case none
  /// The image and its mirror image.
  case flip
  /// The mean of two equal parts: the mean of `flip` for the image itself, and the mean of `flip` for two translations
  /// of the image by one pixel along both axes (down and to the right, up and to the left). The pixels at the edges are
  /// those of reflection padding (Jordan, "94% on CIFAR-10 in 3.29 seconds on a single GPU", 2024).
  case flipShift = "flip-shift"

  /// A layer that returns the averaged outputs of a model; for `none` the model itself.
  public func layer(_ model: any Layer) -> any Layer {
    guard self != .none else { return model }
    return Function { x in self.outputs(of: model, x) }
  }

  /// The averaged outputs, in the shape that the model returns.
  /// - Parameters:
  ///   - model: takes `x`, and runs in the current mode.
  ///   - x: images, `[batch, channels, height, width]`.
  public func outputs(of model: any Layer, _ x: Tensor) -> Tensor {
    guard self != .none else { return model(x) }
    let own = TestTimeAugmentation.mirrored(model, x)
    guard self == .flipShift, x.rank == 4 else { return own }
    let (height, width) = (x.shape[2], x.shape[3])
    // An axis of one pixel cannot be reflected.
    let padded = x.padded(
      by: [(0, 0), (0, 0), (1, 1), (1, 1)], mode: min(height, width) > 1 ? .reflect : .replicate)
    let moved = [0, 2].map { start in
      let view = padded.slice(axis: 2, from: start, count: height).slice(axis: 3, from: start, count: width)
      return TestTimeAugmentation.mirrored(model, view)
    }
    return own * 0.5 + (moved[0] + moved[1]) * 0.25
  }

  /// The mean of the outputs for images and their mirror images.
  private static func mirrored(_ model: any Layer, _ x: Tensor) -> Tensor {
    (model(x) + model(x.flipped(axis: x.rank - 1))) * 0.5
  }
}
