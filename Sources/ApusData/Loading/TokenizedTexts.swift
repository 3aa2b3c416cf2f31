import ApusTensor

/// Texts as tokens on a device, each cut or filled up to one length.
public struct TokenizedTexts: Sendable {
  /// int32 `[count, length]`, `ReservedToken.padding` behind the end of each text.
  public let tokens: Tensor
  /// int32 `[count]`
  public let labels: Tensor

  public var count: Int { labels.elementCount }

  /// Uploads texts. One without any token gets an unknown one, so that each has something to look at.
  /// - Parameter length: longer texts are cut.
  public init(
    _ texts: LabelledTexts, tokenizer: any Tokenizer, length: Int, device: ComputeDevice = .current
  ) {
    var all = [Int32](repeating: ReservedToken.padding, count: texts.count * length)
    for (index, text) in texts.texts.enumerated() {
      let own = tokenizer.encode(text)
      for (place, token) in (own.isEmpty ? [ReservedToken.unknown] : own).prefix(length).enumerated() {
        all[index * length + place] = token
      }
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
