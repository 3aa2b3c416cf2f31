import ApusNN
import ApusTensor

/// A model that predicts the next token at each position of a text: integers `[batch, time]` to logits
/// `[batch, time, vocabulary]`.
public protocol LanguageModel: Layer {
  /// The state of the model after the tokens read so far, such as the hidden states of recurrent layers or a key-value
  /// cache.
  associatedtype Memory: Sendable

  /// The initial memory, for `batch` texts, with a capacity of `capacity` tokens for each text.
  func memory(batch: Int, capacity: Int) -> Memory

  /// Reads further tokens.
  /// - Parameter tokens: integers `[batch, time]`, the tokens that follow the tokens read so far.
  /// - Returns: logits `[batch, vocabulary]` for the next token.
  func read(_ tokens: Tensor, _ memory: inout Memory) -> Tensor

  /// The tensors of a memory, of any shapes. The caller evaluates them together with the logits.
  func tensors(of memory: Memory) -> [Tensor]

  /// The maximum number of tokens in a text; `nil` if there is no limit.
  var longestText: Int? { get }
}
