import ApusNN
import ApusTensor

/// LeNet-5 (LeCun, Bottou, Bengio, Haffner: "Gradient-based learning applied to document recognition", 1998) as it
/// is written today: ReLU, max pooling, and full connections between the convolutions.
///
/// - Parameter input: `[channels, height, width]`; 28 by 28 in the original after padding.
public func lenet5(input: [Int] = [1, 28, 28], classes: Int = 10) -> Sequential {
  // The first convolution keeps the size, the pools halve it, the second convolution takes 4 away.
  let places = input.dropFirst().map { max(($0 / 2 - 4) / 2, 0) }.reduce(1, *)
  return Sequential {
    Conv2d(input[0], 6, kernel: 5, padding: 2)
    ReLU()
    MaxPool2d(2)
    Conv2d(6, 16, kernel: 5)
    ReLU()
    MaxPool2d(2)
    Flatten()
    Linear(16 * places, 120)
    ReLU()
    Linear(120, 84)
    ReLU()
    Linear(84, classes)
  }
}
