import ApusData
import ApusNN
import ApusTensor
import Glibc

/// How the next token is drawn from a model's logits.
public struct Sampling: Hashable, Sendable {
  /// Logits are divided by it: below 1 the likely becomes likelier. 0 takes the likeliest token.
  public var temperature: Double
  /// Only so many of the likeliest tokens are drawn from (Fan, Lewis, Dauphin, 2018).
  public var topK: Int?
  /// Only the likeliest tokens that together reach this probability are drawn from (Holtzman et al., 2020).
  public var topP: Double?
  /// Equal seeds draw equal tokens.
  public var seed: UInt64

  /// - Precondition: `temperature` is not negative, `topK` is positive, `topP` is in 0 … 1.
  public init(temperature: Double = 1, topK: Int? = nil, topP: Double? = nil, seed: UInt64 = 0) {
    guard temperature >= 0, topK ?? 1 > 0, (0...1).contains(topP ?? 1) else {
      fatalError("Sampling: temperature \(temperature), top-k \(topK ?? 0) or top-p \(topP ?? 0) is out of range")
    }
    self.temperature = temperature
    self.topK = topK
    self.topP = topP
    self.seed = seed
  }

  /// Draws a token. Tokens that fill up are never drawn.
  ///
  /// - Parameters:
  ///   - logits: of all tokens.
  ///   - position: which draw it is; each has a random number of its own.
  func token(_ logits: [Float], position: Int) -> Int32 {
    var ranked = logits.indices.filter { $0 != Int(ReservedToken.padding) }
    // Of equal logits the first token is ahead, so that a draw depends on nothing else.
    ranked.sort { (logits[$1], $0) < (logits[$0], $1) }
    guard temperature > 0, let best = ranked.first else { return Int32(ranked.first ?? 0) }
    if let topK { ranked = Array(ranked.prefix(topK)) }
    let top = Double(logits[best])
    var weights = ranked.map { exp((Double(logits[$0]) - top) / temperature) }
    if let topP {
      var (sum, kept) = (0.0, 0)
      let bound = topP * weights.reduce(0, +)
      for weight in weights where sum < bound || kept == 0 { (sum, kept) = (sum + weight, kept + 1) }
      weights.removeSubrange(kept...)
    }
    var rest = CounterRandom(seed: seed, stream: 0).unit(at: position) * weights.reduce(0, +)
    for (place, weight) in weights.enumerated() {
      rest -= weight
      if rest < 0 { return Int32(ranked[place]) }
    }
    return Int32(ranked[weights.count - 1])
  }
}

/// Goes on with a text.
///
/// - Parameters:
///   - prompt: the tokens to go on from, at least one.
///   - count: how many tokens are made, 0 or more.
///   - each: is given each token as it is drawn; `false` ends the text.
/// - Returns: the tokens behind the prompt.
/// - Throws: `ModelError.notFinite` when the model gives NaN, a `DeviceError`, or what `each` throws.
@discardableResult
public func generateTokens<Model: LanguageModel>(
  _ model: Model, prompt: [Int32], count: Int, sampling: Sampling = Sampling(),
  each: (Int32) throws -> Bool = { _ in true }
) throws -> [Int32] {
  guard !prompt.isEmpty else { fatalError("generateTokens: the prompt has no tokens") }
  guard count >= 0 else { fatalError("generateTokens: a count of \(count) is below 0") }
  var all = prompt
  let capacity = min(model.longestText ?? .max, prompt.count + count)
  // On the device that the weights are on.
  return try withDevice(model.parameters.first?.value.device ?? .current) { () throws in
    try withMode(.inference) { () throws in
      var memory = model.memory(batch: 1, capacity: capacity)
      var unread = prompt
      if let longest = model.longestText { unread = unread.suffix(longest) }
      var seen = 0
      for position in 0..<count {
        if seen + unread.count > capacity {
          // The memory is full: the later half of the text is read anew.
          memory = model.memory(batch: 1, capacity: capacity)
          unread = all.suffix(max(1, capacity / 2))
          seen = 0
        }
        seen += unread.count
        let logits = model.read(Tensor(unread, shape: [1, unread.count]), &memory)
        try eval([logits] + model.tensors(of: memory))
        let numbers = try logits.array(of: Float.self)
        guard !numbers.contains(where: \.isNaN) else { throw ModelError.notFinite }
        let token = sampling.token(numbers, position: position)
        all.append(token)
        unread = [token]
        if try !each(token) { break }
      }
      return Array(all.dropFirst(prompt.count))
    }
  }
}
