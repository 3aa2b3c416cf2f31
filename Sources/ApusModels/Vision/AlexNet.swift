import ApusNN
import ApusTensor

/// Five convolutions and three dense layers: `x: [batch, channels, height, width]` to logits `[batch, classes]`, by
/// default for images of about 224 × 224 pixels.
///
/// With one column it is the network of Krizhevsky: "One weird trick for parallelizing convolutional neural networks"
/// (2014), with torchvision's names. With two columns it is the network of Krizhevsky, Sutskever and Hinton: "ImageNet
/// classification with deep convolutional neural networks" (2012), whose authors ran each column on its own GPU. In the
/// network with two columns, all convolutions except the first and the third have two groups, one for each column, and
/// local response normalization follows the first and the second convolution.
///
/// For small images the first two convolutions are 3 × 3 with stride 1, pooling windows are 2 × 2, and the first dense
/// layer reads feature maps of 2 × 2, not 6 × 6. Weights are initialized by PyTorch's default, as in torchvision; the
/// 2012 paper initializes them differently.
public struct AlexNet: Layer {
  let features: Sequential
  let avgpool: AdaptiveAvgPool2d
  let classifier: Sequential

  /// - Parameters:
  ///   - columns: 1 for the network of 2014, 2 for the network of 2012.
  ///   - channels: the number of channels of the images.
  ///   - classes: the number of logits.
  ///   - dropout: the dropout rate before each of the two dense layers with 4,096 outputs.
  ///   - stem: the form of the first layers, for large or for small images.
  public init(
    columns: Int = 1, channels: Int = 3, classes: Int = 1000, dropout: Double = 0.5, stem: ImageStem = .imageNet
  ) {
    guard columns == 1 || columns == 2 else { fatalError("AlexNet: the number of columns is \(columns), not 1 or 2") }
    features = columns == 1 ? AlexNet.oneColumn(channels, stem) : AlexNet.twoColumns(channels, stem)
    let side = stem == .imageNet ? 6 : 2
    avgpool = AdaptiveAvgPool2d(side)
    classifier = Sequential {
      Dropout(dropout)
      Linear(256 * side * side, 4096)
      ReLU()
      Dropout(dropout)
      Linear(4096, 4096)
      ReLU()
      Linear(4096, classes)
    }
  }

  /// The first and the second convolution, and the pooling, which follows the first, second and last convolution.
  private static func parts(
    _ channels: Int, _ first: Int, _ second: Int, groups: Int, _ stem: ImageStem
  ) -> (first: Conv2d, second: Conv2d, pooling: MaxPool2d) {
    switch stem {
    case .imageNet:
      (
        Conv2d(channels, first, kernel: 11, stride: 4, padding: 2),
        Conv2d(first, second, kernel: 5, padding: 2, groups: groups), MaxPool2d(3, stride: 2)
      )
    case .smallImage:
      (
        Conv2d(channels, first, kernel: 3, padding: 1),
        Conv2d(first, second, kernel: 3, padding: 1, groups: groups), MaxPool2d(2)
      )
    }
  }

  private static func oneColumn(_ channels: Int, _ stem: ImageStem) -> Sequential {
    let (first, second, pooling) = parts(channels, 64, 192, groups: 1, stem)
    return Sequential {
      first
      ReLU()
      pooling
      second
      ReLU()
      pooling
      Conv2d(192, 384, kernel: 3, padding: 1)
      ReLU()
      Conv2d(384, 256, kernel: 3, padding: 1)
      ReLU()
      Conv2d(256, 256, kernel: 3, padding: 1)
      ReLU()
      pooling
    }
  }

  private static func twoColumns(_ channels: Int, _ stem: ImageStem) -> Sequential {
    let (first, second, pooling) = parts(channels, 96, 256, groups: 2, stem)
    let normalization = LocalResponseNorm(5, alpha: 1e-4, beta: 0.75, k: 2, isSummed: true)
    return Sequential {
      first
      ReLU()
      normalization
      pooling
      second
      ReLU()
      normalization
      pooling
      Conv2d(256, 384, kernel: 3, padding: 1)
      ReLU()
      Conv2d(384, 384, kernel: 3, padding: 1, groups: 2)
      ReLU()
      Conv2d(384, 256, kernel: 3, padding: 1, groups: 2)
      ReLU()
      pooling
    }
  }

  public func callAsFunction(_ x: Tensor) -> Tensor {
    let y = LayerTrace.run("features", features, x)
    return LayerTrace.run("classifier", classifier, Flatten()(avgpool(y)))
  }
}
