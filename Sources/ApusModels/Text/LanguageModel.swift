import ApusNN
import ApusTensor

/// A model that says, at each place of a text, which token comes next: integers `[batch, time]` to logits
/// `[batch, time, vocabulary]`.
public protocol LanguageModel: Layer {
  /// What the model keeps of the tokens that it has seen.
  associatedtype Memory: Sendable

  /// The memory of a model that has seen nothing, with room for `capacity` tokens of each text.
  func memory(batch: Int, capacity: Int) -> Memory

  /// Reads on.
  /// - Parameter tokens: `[batch, time]`, what comes behind all that is in the memory.
  /// - Returns: logits `[batch, vocabulary]` for the token behind the last.
  func read(_ tokens: Tensor, _ memory: inout Memory) -> Tensor

  /// The tensors of a memory, which are computed together with the logits.
  func tensors(of memory: Memory) -> [Tensor]

  /// The most tokens of one text; `nil` when there is no limit.
  var longestText: Int? { get }
}
