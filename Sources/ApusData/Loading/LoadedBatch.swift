import ApusTensor

/// Pictures that a loader has read and transformed, as bytes on the host.
public struct LoadedBatch: Sendable {
  /// Its number in the epoch, from 0 on.
  public let number: Int
  /// uint8 `[count, channels, height, width]`
  public let pixels: PixelBuffer
  /// `[channels, height, width]`
  public let imageSize: [Int]
  /// The class of each picture.
  public let labels: [Int32]
  /// The number of each picture in its source.
  public let examples: [Int32]
  /// The places in the batch of pictures that could not be read and are left out: their pixels are zeros.
  public let missing: [Int]
  /// How the pictures are mixed with each other, if they are.
  public let mix: MixPlan?
  let source: any ImageSource

  public var count: Int { labels.count }

  /// What the pictures are called.
  public var names: [String] { examples.map { source.name(of: Int($0)) } }

  /// The pixels on a device, uint8 `[count, channels, height, width]`.
  public func images(on device: ComputeDevice = .current) -> Tensor {
    pixels.withBytes { Tensor(bytes: $0, shape: Shape([count] + imageSize), dtype: .uint8, device: device) }
  }
}
