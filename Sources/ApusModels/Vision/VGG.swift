import ApusNN
import ApusTensor

/// Stages of 3 × 3 convolutions, each followed by max pooling (Simonyan, Zisserman: "Very deep convolutional networks
/// for large-scale image recognition", 2014), with torchvision's names: `x: [batch, channels, height, width]` to logits
/// `[batch, classes]`.
///
/// Weights are initialized from normal distributions: in convolutions with the variance `2 / fanOut`, in dense layers
/// with a standard deviation of 0.01. Biases are initialized with zeros, norms as the identity.
public struct VGG: Layer {
  let features: Sequential
  private let avgpool: AdaptiveAvgPool2d?
  let classifier: Sequential

  /// - Parameters:
  ///   - convolutions: the number of convolutions in each of the five stages: `[1, 1, 2, 2, 2]` for VGG-11,
  ///     `[2, 2, 2, 2, 2]` for VGG-13, `[2, 2, 3, 3, 3]` for VGG-16 and `[2, 2, 4, 4, 4]` for VGG-19.
  ///   - isNormalized: whether batch normalization follows each convolution.
  ///   - channels: the number of channels of the images.
  ///   - classes: the number of logits.
  ///   - dropout: the dropout rate before the second and before the third dense layer.
  ///   - stem: `smallImage` has one dense layer instead of three. Max pooling then rounds odd heights and widths up:
  ///     28 pixels become 14, 7, 4, 2 and 1. If several pixels are left after the five stages, as with images of more
  ///     than 32 × 32 pixels, the dense layer reads their mean.
  public init(
    convolutions: [Int] = [2, 2, 3, 3, 3], isNormalized: Bool = false, channels: Int = 3, classes: Int = 1000,
    dropout: Double = 0.5, stem: ImageStem = .imageNet
  ) {
    guard convolutions.count == 5 else {
      fatalError("VGG: the numbers of convolutions \(convolutions) must be five, one for each stage")
    }
    var inputs = channels
    var layers: [any Layer] = []
    for (count, outputs) in zip(convolutions, [64, 128, 256, 512, 512]) {
      for _ in 0..<count {
        layers.append(
          Conv2d(
            inputs, outputs, kernel: 3, padding: 1, initializer: .heNormal(fan: .output), biasInitializer: .zeros))
        if isNormalized { layers.append(BatchNorm(outputs)) }
        layers.append(ReLU())
        inputs = outputs
      }
      layers.append(MaxPool2d(2, roundsUp: stem == .smallImage))
    }
    features = Sequential(layers)
    avgpool = stem == .imageNet ? AdaptiveAvgPool2d(7) : nil
    func dense(_ inputs: Int, _ outputs: Int) -> Linear {
      Linear(inputs, outputs, initializer: .normal(deviation: 0.01), biasInitializer: .zeros)
    }
    classifier =
      stem == .smallImage
      ? Sequential { dense(512, classes) }
      : Sequential {
        dense(512 * 7 * 7, 4096)
        ReLU()
        Dropout(dropout)
        dense(4096, 4096)
        ReLU()
        Dropout(dropout)
        dense(4096, classes)
      }
  }

  public func callAsFunction(_ x: Tensor) -> Tensor {
    let y = LayerTrace.run("features", features, x)
    return LayerTrace.run("classifier", classifier, Flatten()(pooled(y)))
  }

  /// Averages pixels to an image of 7 × 7 pixels or, with the stem `smallImage`, to one pixel.
  private func pooled(_ x: Tensor) -> Tensor {
    if let avgpool { return avgpool(x) }
    return x.rank == 4 && x.shape[2] * x.shape[3] > 1 ? x.mean(axes: [2, 3], keepingAxes: true) : x
  }
}
