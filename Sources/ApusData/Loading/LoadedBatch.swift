/// Images that a loader has read and transformed, as bytes in host memory.
public struct LoadedBatch: Sendable {
  /// The number of the batch in the epoch, counted from 0.
  public let number: Int
  /// uint8 `[count, channels, height, width]`
  public let pixels: PixelBuffer
  /// `[channels, height, width]`
  public let imageSize: [Int]
  /// The class of each image.
  public let labels: [Int32]
  /// The index of each image in its source.
  public let examples: [Int32]
  /// The positions in the batch of the unreadable images that zeros replace (`ImageLoader.BadImages.leftOut`).
  /// Evaluation does not count these images.
  public let missing: [Int]
  /// How images of the batch are mixed with each other; `nil` without mixing. Cutmix is already applied to `pixels`;
  /// mixup is applied later, on the device.
  public let mix: MixPlan?
  let source: any ImageSource

  public var count: Int { labels.count }

  /// The names of the images.
  public var names: [String] { examples.map { source.name(of: Int($0)) } }
}
