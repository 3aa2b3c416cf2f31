import ApusData
import ApusTensor

extension LoadedBatch {
  /// Uploads the pixels to a device, as `uint8` values `[count, channels, height, width]`.
  public func images(on device: ComputeDevice = .current) -> Tensor {
    pixels.withBytes { Tensor(bytes: $0, shape: Shape([count] + imageSize), dtype: .uint8, device: device) }
  }
}
