/// What stands ahead of the stages of a network for images, and for some what stands behind.
public enum ImageStem: String, Hashable, Sendable, CaseIterable {
  /// For pictures of some 224 pixels, as it is published: mostly a convolution of stride 2 or 4, and pooling.
  case imageNet = "imagenet"
  /// For pictures of some 32 pixels: a 3 × 3 convolution of stride 1.
  case smallImage = "small"

  /// The one for images of a size, `[channels, height, width]`: small where height or width is at most 64.
  public static func fitting(_ size: [Int]) -> ImageStem {
    size.dropFirst().min().map { $0 <= 64 } == true ? .smallImage : .imageNet
  }
}
