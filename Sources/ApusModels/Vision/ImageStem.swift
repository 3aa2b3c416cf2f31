/// What stands ahead of the stages of a network for images, for pictures of which size.
///
/// |                     | `imageNet`, some 224 pixels            | `smallImage`, 28 to 64 pixels                              |
/// |---------------------|----------------------------------------|------------------------------------------------------------|
/// | `ResNet`            | 7 × 7 of stride 2, pooling             | 3 × 3 of stride 1 (He et al., 2015, section 4.2)           |
/// | `DenseNet`          | 7 × 7 of stride 2, pooling             | 3 × 3 of stride 1 (Huang et al., 2017, section 3)          |
/// | `VGG`               | three dense layers behind 7 × 7 pixels | one dense layer behind one pixel                           |
/// | `AlexNet`           | 11 × 11 of stride 4, pooling of 3      | 3 × 3 of stride 1, pooling of 2; dense layers behind 2 × 2 |
/// | `vit-small`         | patches of 16 × 16, 12 blocks of 384   | patches of 4 × 4, 6 blocks of 192                          |
public enum ImageStem: String, Hashable, Sendable, CaseIterable {
  /// For pictures of some 224 pixels: the first layers see large windows and make the picture much smaller.
  case imageNet = "imagenet"
  /// For pictures of some 32 pixels: the first layers see 3 × 3 windows.
  case smallImage = "small"

  /// The one for images of a size, `[channels, height, width]`: small where height or width is at most 64.
  public static func fitting(_ size: [Int]) -> ImageStem {
    size.dropFirst().min().map { $0 <= 64 } == true ? .smallImage : .imageNet
  }
}
