import Apus

/// The conversion of images to inputs of one size. Checkpoints store it, so that evaluation and prediction convert
/// images as training did.
package struct ImageReading: Hashable, Sendable {
  /// The size of an input, `[channels, height, width]`.
  package var size: [Int]
  /// The transforms, such as resizing and cropping, that change every image to an input.
  package var transform: ImagePipeline

  package init(size: [Int], transform: ImagePipeline = ImagePipeline()) {
    self.size = size
    self.transform = transform
  }

  /// The conversion that the settings request for a network and a data set.
  ///
  /// - Parameter own: the size of all images, `[channels, height, width]`; `nil` if they differ.
  /// - Throws: `DataError.unsupported` if the images would differ in size after the transforms, or if `--transform` and
  ///   `--image-size` give different sizes.
  package init(_ settings: ImageSettings, for network: ImageNetwork, own: [Int]?, source: String) throws(DataError) {
    let channels = settings.channels ?? own?[0] ?? 3
    let ownSize = own.map { ImageSize(height: $0[1], width: $0[2]) }
    var wanted = settings.size.map { ImageSize(height: $0, width: $0) }
    if wanted == nil, own == nil, settings.transform == nil {
      // The size that the network was designed for.
      wanted = ImageSize(height: network.inputSize[1], width: network.inputSize[2])
    }
    transform = settings.transform ?? wanted.map { ImageReading.fitting($0, own: ownSize) } ?? ImagePipeline()
    guard let found = transform.outputSize(ownSize) else {
      throw .unsupported(
        path: source, format: "data", reason: "its images differ in size, and --transform does not change that",
        remedy: "end --transform with resize, center-crop or pad, or write --image-size N instead")
    }
    guard wanted == nil || wanted == found else {
      throw .unsupported(
        path: source, format: "data", reason: "--transform resizes images to \(found), not to --image-size",
        remedy: "leave out one of the two")
    }
    size = [channels, found.height, found.width]
  }

  /// Resizes the shorter side to 8/7 of the size, such as 256 pixels for a size of 224, and crops the center. If the
  /// size is at most 64 pixels or not square, images are only resized. If they already have the size, the pipeline is
  /// empty.
  private static func fitting(_ size: ImageSize, own: ImageSize?) -> ImagePipeline {
    if own == size { return ImagePipeline() }
    guard min(size.height, size.width) > 64, size.height == size.width else { return ImagePipeline([Resize(size)]) }
    return ImagePipeline([ResizeShorter(size.height * 8 / 7), CenterCrop(size)])
  }

  /// The pipeline of training: the transform, followed by the augmentation. If the augmentation converts images of any
  /// size to the required size, it replaces the transform.
  /// - Throws: `DataError.unsupported` if the augmentation changes the size.
  package func training(_ augmentation: ImagePipeline, source: String) throws(DataError) -> ImagePipeline {
    let wanted = ImageSize(height: size[1], width: size[2])
    if augmentation.outputSize(nil) == wanted { return augmentation }
    guard augmentation.outputSize(wanted) == wanted else {
      let found = augmentation.outputSize(wanted).map { "resizes images to \($0)" } ?? "gives images of different sizes"
      throw .unsupported(
        path: source, format: "data", reason: "--augment \(found), but the model takes \(wanted)",
        remedy: "end --augment with crop \(wanted) or resize \(wanted)")
    }
    return ImagePipeline(transform.transforms + augmentation.transforms, mixing: augmentation.mixing)
  }

  /// The options of an image loader.
  /// - Parameter pipeline: the pipeline of training; `nil` for `transform`, which prepares images for evaluation.
  package func options(_ settings: ImageSettings, _ pipeline: ImagePipeline? = nil, seed: UInt64 = 0)
    -> ImageLoader.Options
  {
    ImageLoader.Options(
      imageSize: size, pipeline: pipeline ?? transform, seed: seed, workers: settings.workers ?? 2,
      badImages: settings.skipsBad ? .replaced : .refused)
  }

  /// Whether images can be used as inputs without a conversion.
  func isDirect(_ source: any ImageSource) -> Bool {
    transform.isEmpty && (source as? ImageSet)?.imageSize == size
  }
}
