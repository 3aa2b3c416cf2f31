import ApusNN
import ApusTensor

/// A perceptron with two hidden layers: inputs-256-128-classes, with ReLU.
///
/// - Parameter input: the extents of an example without the batch, `[1, 28, 28]` for MNIST.
public func mlp(input: [Int] = [1, 28, 28], classes: Int = 10) -> Sequential {
  Sequential {
    Flatten()
    Linear(input.reduce(1, *), 256)
    ReLU()
    Linear(256, 128)
    ReLU()
    Linear(128, classes)
  }
}
