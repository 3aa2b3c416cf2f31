import ApusData
import ApusTensor

/// A tokenized text on a device, divided into windows of equal length for next-token prediction.
///
/// Window `i` of length `n` has the tokens `i·n ..< (i+1)·n` as inputs, and the tokens `i·n + 1 ... (i+1)·n` as
/// targets. The remainder at the end of the text is unused.
public struct TokenWindows: Sendable {
  /// The tokens of each window, int32 `[count, length]`.
  public let inputs: Tensor
  /// The tokens to predict, int32 `[count, length]`: the inputs, shifted by one token.
  public let targets: Tensor

  public var count: Int { inputs.shape[0] }
  /// The number of tokens in a window.
  public var length: Int { inputs.shape[1] }

  /// Uploads tokens.
  /// - Returns: `nil` when there are fewer than `length + 1` tokens, or `length` is not positive.
  public init?(_ tokens: [Int32], length: Int, device: ComputeDevice = .current) {
    guard length > 0, tokens.count > length else { return nil }
    let count = (tokens.count - 1) / length
    let size = count * length
    inputs = Tensor(Array(tokens[..<size]), shape: [count, length], device: device)
    targets = Tensor(Array(tokens[1...size]), shape: [count, length], device: device)
  }

  /// The windows with these indices, in this order.
  /// - Returns: inputs and targets, int32 `[windows.count, length]` each.
  /// - Precondition: all indices are in `0 ..< count`.
  public func batch(_ windows: some Collection<Int32>) -> (inputs: Tensor, targets: Tensor) {
    let indices = Tensor(Array(windows), device: inputs.device)
    return (inputs[indices], targets[indices])
  }
}
