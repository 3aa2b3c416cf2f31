import ApusNN
import ApusTensor

/// Stages of 3 × 3 convolutions with pooling between them (Simonyan, Zisserman: "Very deep convolutional networks for
/// large-scale image recognition", 2014), with torchvision's names: `x: [batch, channels, height, width]` to logits
/// `[batch, classes]`.
public struct VGG: Layer {
  let features: Sequential
  let avgpool: AdaptiveAvgPool2d?
  let classifier: Sequential

  /// - Parameters:
  ///   - convolutions: the number of convolutions of each of the five stages, `[2, 2, 3, 3, 3]` for VGG-16.
  ///   - isNormalized: whether batches are normalized behind each convolution.
  ///   - stem: small images have one pixel left behind the stages, and one dense layer.
  public init(
    convolutions: [Int] = [2, 2, 3, 3, 3], isNormalized: Bool = false, channels: Int = 3, classes: Int = 1000,
    stem: ImageStem = .imageNet
  ) {
    precondition(convolutions.count == 5, "VGG: five stages of convolutions, not \(convolutions)")
    var inputs = channels
    var layers: [any Layer] = []
    for (count, outputs) in zip(convolutions, [64, 128, 256, 512, 512]) {
      for _ in 0..<count {
        layers.append(Conv2d(inputs, outputs, kernel: 3, padding: 1))
        if isNormalized { layers.append(BatchNorm(outputs)) }
        layers.append(ReLU())
        inputs = outputs
      }
      layers.append(MaxPool2d(2))
    }
    features = Sequential(layers)
    avgpool = stem == .imageNet ? AdaptiveAvgPool2d(7) : nil
    classifier =
      stem == .smallImage
      ? Sequential { Linear(512, classes) }
      : Sequential {
        Linear(512 * 7 * 7, 4096)
        ReLU()
        Dropout(0.5)
        Linear(4096, 4096)
        ReLU()
        Dropout(0.5)
        Linear(4096, classes)
      }
  }

  public func callAsFunction(_ x: Tensor) -> Tensor {
    let y = LayerTrace.run("features", features, x) { features($0) }
    let pooled = avgpool.map { $0(y) } ?? y
    return LayerTrace.run("classifier", classifier, Flatten()(pooled)) { classifier($0) }
  }
}
