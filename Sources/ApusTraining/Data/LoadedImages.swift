import ApusData
import ApusTensor

/// A batch of images and their labels.
public struct Batch: Sendable {
  /// Standardized pixels, float32 `[count, channels, height, width]`.
  public var images: Tensor
  /// Classes, int32 `[count]`.
  public var labels: Tensor

  public var count: Int { labels.elementCount }
}

/// A set of images in device memory, stored with one byte per value.
///
/// The images are uploaded once. A batch is gathered, converted and standardized on the device, as part of the plan
/// that uses it: each training step copies only the indices of its examples.
public struct LoadedImages: Sendable {
  /// The pixels, uint8 `[count, channels, height, width]`.
  public let pixels: Tensor
  /// The class of each image, int32 `[count]`.
  public let labels: Tensor
  /// The statistics that standardize the pixels.
  public let statistics: PixelStatistics
  /// The device that stores the images.
  public let device: ComputeDevice

  public var count: Int { labels.elementCount }

  /// Uploads a set of images.
  /// - Parameter statistics: the statistics of the training set, for training and test images alike
  public init(_ images: ImageSet, statistics: PixelStatistics, device: ComputeDevice = .current) {
    self.device = device
    self.statistics = statistics
    let shape: Shape = [images.count, images.channels, images.height, images.width]
    pixels = Tensor(images.pixels, shape: shape, device: device)
    labels = Tensor(images.labels, device: device)
  }

  /// The examples with these indices, in this order.
  /// - Precondition: all indices are in `0..<count`.
  public func batch(_ examples: some Collection<Int32>) -> Batch {
    let indices = Tensor(Array(examples), device: device)
    return Batch(
      images: statistics.standardizing(pixels[indices]), labels: labels[indices])
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
  /// `(pixels / 255 − mean) / standardDeviation` of each channel, in float32 and in the shape of `pixels`. A deviation
  /// of 0 is replaced by 1.
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
