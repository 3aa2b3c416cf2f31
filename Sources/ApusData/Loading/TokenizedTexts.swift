import ApusTensor

/// Texts as tokens on a device, each filled up to the length of the longest.
public struct TokenizedTexts: Sendable {
  /// int32 `[count, length]`, `ReservedToken.padding` behind the end of each text.
  public let tokens: Tensor
  /// int32 `[count]`
  public let labels: Tensor

  public var count: Int { labels.elementCount }

  /// Uploads texts. One without any token gets an unknown one, so that each has something to look at.
  /// - Parameter limit: longer texts are cut.
  /// - Throws: when all texts, as long as the longest, do not fit the device's memory.
  public init(
    _ texts: LabelledTexts, tokenizer: any Tokenizer, length limit: Int, device: ComputeDevice = .current
  ) throws(DataError) {
    let encoded = texts.texts.map { text in
      let own = tokenizer.encode(text).prefix(limit)
      return own.isEmpty ? [ReservedToken.unknown] : own
    }
    let length = encoded.reduce(1) { max($0, $1.count) }
    let (size, overflow) = length.multipliedReportingOverflow(by: 4 * max(texts.count, 1))
    // They are made on the host, and copied.
    guard !overflow, size <= device.info.memoryByteCount, size <= ComputeDevice.hostMemoryByteCount / 4 else {
      throw .unsupported(
        path: "text", format: "data",
        reason:
          "\(texts.count) texts of \(length) tokens take \(overflow ? "too much" : size.byteText), more than the device's memory or a quarter of the host's",
        remedy: "cut them to a smaller length")
    }
    var all = [Int32](repeating: ReservedToken.padding, count: texts.count * length)
    for (index, own) in encoded.enumerated() {
      for (place, token) in own.enumerated() { all[index * length + place] = token }
    }
    tokens = Tensor(all, shape: [texts.count, length], device: device)
    labels = Tensor(texts.labels, device: device)
  }

  /// The texts with these numbers, in this order.
  /// - Precondition: all are in `0 ..< count`.
  public func batch(_ numbers: some Collection<Int32>) -> (tokens: Tensor, labels: Tensor) {
    let indices = Tensor(Array(numbers), device: tokens.device)
    return (tokens.gathering(indices), labels.gathering(indices))
  }
}
