import ApusTensor

/// Examples and what they should give, cut from a data set.
public struct Batch: Sendable {
  /// Standardized pixels, float32 `[count, channels, height, width]`.
  public var images: Tensor
  /// Classes, int32 `[count]`.
  public var labels: Tensor

  public var count: Int { labels.elementCount }
}

/// A set of images that lies on a device as it is stored, one byte a value.
///
/// The images are uploaded once. A batch is gathered, converted and standardized on the device, as part of
/// the plan that uses it: per step only the indices of its examples are copied.
public struct LoadedImages: Sendable {
  /// uint8 `[count, channels, height, width]`
  public let pixels: Tensor
  /// int32 `[count]`
  public let labels: Tensor
  /// What the pixels are standardized with.
  public let statistics: PixelStatistics
  /// Where the images are.
  public let device: ComputeDevice

  public var count: Int { labels.elementCount }

  /// Uploads a set.
  /// - Parameter statistics: those of the training set, for training and test images alike
  public init(_ images: ImageSet, statistics: PixelStatistics, device: ComputeDevice = .current) {
    self.device = device
    self.statistics = statistics
    let shape: Shape = [images.count, images.channels, images.height, images.width]
    pixels = Tensor(images.pixels, shape: shape, device: device)
    labels = Tensor(images.labels, device: device)
  }

  /// The examples with these indices, in this order.
  /// - Precondition: all are in `0..<count`.
  public func batch(_ examples: some Collection<Int32>) -> Batch {
    let indices = Tensor(Array(examples), device: device)
    return Batch(
      images: statistics.standardizing(pixels.gathering(indices)), labels: labels.gathering(indices))
  }

  /// Consecutive examples.
  /// - Precondition: `range` lies within `0..<count`.
  public func batch(_ range: Range<Int>) -> Batch {
    Batch(
      images: statistics.standardizing(pixels.slice(axis: 0, from: range.lowerBound, count: range.count)),
      labels: labels.slice(axis: 0, from: range.lowerBound, count: range.count))
  }
}

extension PixelStatistics {
  /// `(pixels / 255 − mean) / standardDeviation` of each channel, in float32; a channel without any
  /// variation only has its mean taken off.
  ///
  /// - Parameter pixels: uint8 `[count, channels, height, width]`
  public func standardizing(_ pixels: Tensor) -> Tensor {
    let deviations = standardDeviation.map { $0 > 0 ? $0 : 1 }
    let scales = deviations.map { 1 / (255 * $0) }
    let shifts = zip(mean, deviations).map { -$0 / $1 }
    let values = pixels.cast(to: .float32)
    if mean.count == 1 { return values * scales[0] + shifts[0] }
    let perChannel = { (numbers: [Double]) in
      Tensor(numbers.map { Float($0) }, shape: [numbers.count, 1, 1], device: pixels.device)
    }
    return values * perChannel(scales) + perChannel(shifts)
  }
}
