import ApusNN
import ApusTensor

/// The form of a network, for large or for small images. The table shows the main differences between the forms: for
/// `ResNet`, `DenseNet` and `AlexNet`, the first convolution and the pooling after it.
///
/// | network     | `imageNet`, about 224 × 224 pixels    | `smallImage`, 28 × 28 to 64 × 64 pixels                 |
/// |-------------|---------------------------------------|---------------------------------------------------------|
/// | `ResNet`    | 7 × 7, stride 2, pooling              | 3 × 3, stride 1 (He et al., 2015, section 4.2)          |
/// | `DenseNet`  | 7 × 7, stride 2, pooling              | 3 × 3, stride 1 (Huang et al., 2017, section 3)         |
/// | `VGG`       | three dense layers after 7 × 7 pixels | one dense layer after one pixel                         |
/// | `AlexNet`   | 11 × 11, stride 4, pooling of 3       | 3 × 3, stride 1, pooling of 2; dense layers after 2 × 2 |
/// | `vit-small` | patches of 16 × 16, 12 blocks of 384  | patches of 4 × 4, 6 blocks of 192                       |
public enum ImageStem: String, Hashable, Sendable, CaseIterable {
  /// For images of about 224 × 224 pixels.
  case imageNet = "imagenet"
  /// For images of 28 × 28 to 64 × 64 pixels.
  case smallImage = "small"

  /// The stem for a size `[channels, height, width]`: small if height or width is at most 64.
  public static func fitting(_ size: [Int]) -> ImageStem {
    size.dropFirst().min().map { $0 <= 64 } == true ? .smallImage : .imageNet
  }
}

extension ImageStem {
  /// The first convolution: 7 × 7 taps with stride 2, or 3 × 3 taps with stride 1 for small images.
  func convolution(_ channels: Int, _ width: Int, fan: Initializer.Fan = .output) -> Conv2d {
    switch self {
    case .imageNet: .ahead(channels, width, kernel: 7, stride: 2, padding: 3, fan: fan)
    case .smallImage: .ahead(channels, width, kernel: 3, padding: 1, fan: fan)
    }
  }

  /// Max pooling over 3 × 3 pixels with stride 2; small images stay as they are.
  func pooled(_ x: Tensor) -> Tensor {
    self == .imageNet ? x.maxPooled([3, 3], stride: [2, 2], padding: [(1, 1), (1, 1)]) : x
  }
}
