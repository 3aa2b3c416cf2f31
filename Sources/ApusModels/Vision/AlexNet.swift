import ApusNN
import ApusTensor

/// Five convolutions and three dense layers: `x: [batch, channels, height, width]` to logits `[batch, classes]`, from
/// pictures of 224 pixels or so.
///
/// With one column it is that of Krizhevsky: "One weird trick for parallelizing convolutional neural networks" (2014),
/// with torchvision's names. With two it is the network of Krizhevsky, Sutskever and Hinton: "ImageNet classification with
/// deep convolutional neural networks" (2012), made for two GPUs: channels in two groups but for the first and the third
/// convolution, and normalization over neighbouring channels.
public struct AlexNet: Layer {
  let features: Sequential
  let avgpool = AdaptiveAvgPool2d(6)
  let classifier: Sequential

  /// - Parameters:
  ///   - columns: 1 or 2.
  ///   - channels: those of the images.
  ///   - classes: the number of logits.
  ///   - dropout: the share that each of the two dense layers of 4,096 leaves out of its input.
  public init(columns: Int = 1, channels: Int = 3, classes: Int = 1000, dropout: Double = 0.5) {
    precondition(columns == 1 || columns == 2, "AlexNet: 1 or 2 columns, not \(columns)")
    features = columns == 1 ? AlexNet.oneColumn(channels) : AlexNet.twoColumns(channels)
    classifier = Sequential {
      Dropout(dropout)
      Linear(256 * 6 * 6, 4096)
      ReLU()
      Dropout(dropout)
      Linear(4096, 4096)
      ReLU()
      Linear(4096, classes)
    }
  }

  private static func oneColumn(_ channels: Int) -> Sequential {
    Sequential {
      Conv2d(channels, 64, kernel: 11, stride: 4, padding: 2)
      ReLU()
      MaxPool2d(3, stride: 2)
      Conv2d(64, 192, kernel: 5, padding: 2)
      ReLU()
      MaxPool2d(3, stride: 2)
      Conv2d(192, 384, kernel: 3, padding: 1)
      ReLU()
      Conv2d(384, 256, kernel: 3, padding: 1)
      ReLU()
      Conv2d(256, 256, kernel: 3, padding: 1)
      ReLU()
      MaxPool2d(3, stride: 2)
    }
  }

  private static func twoColumns(_ channels: Int) -> Sequential {
    let normalization = LocalResponseNorm(5, alpha: 1e-4, beta: 0.75, k: 2, isSummed: true)
    return Sequential {
      Conv2d(channels, 96, kernel: 11, stride: 4, padding: 2)
      ReLU()
      normalization
      MaxPool2d(3, stride: 2)
      Conv2d(96, 256, kernel: 5, padding: 2, groups: 2)
      ReLU()
      normalization
      MaxPool2d(3, stride: 2)
      Conv2d(256, 384, kernel: 3, padding: 1)
      ReLU()
      Conv2d(384, 384, kernel: 3, padding: 1, groups: 2)
      ReLU()
      Conv2d(384, 256, kernel: 3, padding: 1, groups: 2)
      ReLU()
      MaxPool2d(3, stride: 2)
    }
  }

  public func callAsFunction(_ x: Tensor) -> Tensor {
    let y = LayerTrace.run("features", features, x) { features($0) }
    return LayerTrace.run("classifier", classifier, Flatten()(avgpool(y))) { classifier($0) }
  }
}
