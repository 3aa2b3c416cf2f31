import ApusData
import ApusSystem
import ApusTensor

extension ComputeDevice {
  /// Throws if an array does not fit into the device's memory, or into a quarter of the host's memory. The host fills
  /// the array in its own memory before it copies the array to the device.
  /// - Parameters:
  ///   - count: the number of items; `items` is their plural name.
  ///   - width: the number of values of an item, of 4 bytes each; `values` is their plural name.
  func checkUpload(
    of count: Int, _ items: String, with width: Int, _ values: String, path: String, format: String, remedy: String
  ) throws(DataError) {
    let (size, overflow) = count.multipliedReportingOverflow(by: 4 * width)
    guard !overflow, size <= info.memoryByteCount, size <= ComputeDevice.hostMemoryByteCount / 4 else {
      let amount = overflow ? "too much" : size.byteText
      throw .unsupported(
        path: path, format: format,
        reason: "\(count) \(items) of \(width) \(values) take \(amount), more than the device's memory or a quarter "
          + "of the host's",
        remedy: remedy)
    }
  }
}
