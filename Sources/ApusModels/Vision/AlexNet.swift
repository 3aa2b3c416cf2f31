import ApusNN
import ApusTensor

/// Five convolutions and three dense layers (Krizhevsky, Sutskever, Hinton, 2012) in the form of one column
/// (Krizhevsky: "One weird trick for parallelizing convolutional neural networks", 2014), with torchvision's names:
/// `x: [batch, channels, height, width]` to logits `[batch, classes]`.
public struct AlexNet: Layer {
  let features: Sequential
  let avgpool = AdaptiveAvgPool2d(6)
  let classifier: Sequential

  /// - Parameters:
  ///   - channels: those of the images.
  ///   - classes: the number of logits.
  ///   - dropout: the share that each of the two dense layers of 4,096 leaves out of its input.
  public init(channels: Int = 3, classes: Int = 1000, dropout: Double = 0.5) {
    features = Sequential {
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

  public func callAsFunction(_ x: Tensor) -> Tensor {
    let y = LayerTrace.run("features", features, x) { features($0) }
    return LayerTrace.run("classifier", classifier, Flatten()(avgpool(y))) { classifier($0) }
  }
}
