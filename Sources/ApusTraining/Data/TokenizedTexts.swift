import ApusData
import ApusTensor

/// Tokenized texts on a device, padded to the length of the longest one.
public struct TokenizedTexts: Sendable {
  /// The tokens of each text, int32 `[count, length]`, padded with `ReservedToken.padding`.
  public let tokens: Tensor
  /// The class of each text, int32 `[count]`.
  public let labels: Tensor

  public var count: Int { labels.elementCount }

  /// Uploads texts. An empty text becomes one unknown token, so that no sequence is empty.
  /// - Parameter limit: the maximum number of tokens; longer texts are truncated.
  /// - Throws: when the padded texts exceed the memory of the device, or a quarter of the memory of the host.
  public init(
    _ texts: LabelledTexts, tokenizer: any Tokenizer, length limit: Int, device: ComputeDevice = .current
  ) throws(DataError) {
    let encoded = texts.texts.map { text in
      let own = tokenizer.encode(text).prefix(limit)
      return own.isEmpty ? [ReservedToken.unknown] : own
    }
    let length = encoded.reduce(1) { max($0, $1.count) }
    try device.checkUpload(
      of: texts.count, "texts", with: length, "tokens", path: "text", format: "data",
      remedy: "truncate them to a smaller length")
    var all = [Int32](repeating: ReservedToken.padding, count: texts.count * length)
    for (index, own) in encoded.enumerated() {
      for (position, token) in own.enumerated() { all[index * length + position] = token }
    }
    tokens = Tensor(all, shape: [texts.count, length], device: device)
    labels = Tensor(texts.labels, device: device)
  }

  /// The texts with these indices, in this order.
  /// - Returns: tokens, int32 `[numbers.count, length]`, and labels, int32 `[numbers.count]`.
  /// - Precondition: all indices are in `0 ..< count`.
  public func batch(_ numbers: some Collection<Int32>) -> (tokens: Tensor, labels: Tensor) {
    let indices = Tensor(Array(numbers), device: tokens.device)
    return (tokens[indices], labels[indices])
  }
}
