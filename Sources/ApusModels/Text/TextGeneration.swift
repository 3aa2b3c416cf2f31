import ApusData
import ApusNN
import ApusSystem
import ApusTensor

/// How the next token is sampled from a model's logits.
public struct Sampling: Hashable, Sendable {
  /// The divisor of the logits: values below 1 favor the most likely tokens. 0 always selects the most likely token.
  public var temperature: Double
  /// Samples only from the `topK` most likely tokens (Fan, Lewis, Dauphin, 2018); `nil` for all tokens.
  public var topK: Int?
  /// Samples only from the smallest set of most likely tokens with a total probability of at least `topP` (Holtzman et
  /// al., 2020); `nil` for all tokens.
  public var topP: Double?
  /// Equal seeds sample equal tokens from equal logits.
  public var seed: UInt64

  /// - Precondition: `temperature` is not negative, `topK` is positive, `topP` is in 0 … 1.
  public init(temperature: Double = 1, topK: Int? = nil, topP: Double? = nil, seed: UInt64 = 0) {
    guard temperature >= 0, topK ?? 1 > 0, (0...1).contains(topP ?? 1) else {
      let limits = [topK.map { "top-k \($0)" }, topP.map { "top-p \($0)" }].compactMap { $0 }
      fatalError("Sampling: \((["temperature \(temperature)"] + limits).joined(separator: " or ")) is out of range")
    }
    self.temperature = temperature
    self.topK = topK
    self.topP = topP
    self.seed = seed
  }

  /// Samples a token. Padding is never sampled.
  ///
  /// - Parameters:
  ///   - logits: the logits of all tokens of the vocabulary.
  ///   - position: the index of the draw; together with `seed` it determines the random number.
  func token(_ logits: [Float], position: Int) -> Int32 {
    var ranked = logits.indices.filter { $0 != Int(ReservedToken.padding) }
    // Equal logits are ordered by token, so that the result is deterministic.
    ranked.sort { (logits[$1], $0) < (logits[$0], $1) }
    guard temperature > 0, !ranked.isEmpty else { return Int32(ranked.first ?? 0) }
    if let topK { ranked = Array(ranked.prefix(topK)) }
    var weights = softmaxNumerators(ranked.map { logits[$0] }[...], temperature: temperature)
    if let topP {
      var (sum, kept) = (0.0, 0)
      let bound = topP * weights.reduce(0, +)
      for weight in weights where sum < bound || kept == 0 { (sum, kept) = (sum + weight, kept + 1) }
      weights.removeSubrange(kept...)
    }
    var rest = CounterRandom(seed: seed, stream: 0).unit(at: position) * weights.reduce(0, +)
    for (index, weight) in weights.enumerated() {
      rest -= weight
      if rest < 0 { return Int32(ranked[index]) }
    }
    return Int32(ranked[weights.count - 1])
  }
}

/// Continues a text.
///
/// - Parameters:
///   - prompt: the tokens to continue, at least one.
///   - count: the number of tokens to generate, 0 or more.
///   - each: is called with each generated token; if it returns `false`, no further token is generated.
/// - Returns: the tokens after the prompt.
/// - Throws: `ModelError.notFinite` if the model's output contains NaN, a `DeviceError`, or any error that `each`
///   throws.
@discardableResult
public func generateTokens<Model: LanguageModel>(
  _ model: Model, prompt: [Int32], count: Int, sampling: Sampling = Sampling(),
  each: (Int32) throws -> Bool = { _ in true }
) throws -> [Int32] {
  guard !prompt.isEmpty else { fatalError("generateTokens: the prompt has no tokens") }
  guard count >= 0 else { fatalError("generateTokens: the count \(count) is negative") }
  var all = prompt
  let capacity = min(model.longestText ?? .max, prompt.count + count)
  // Run on the device of the weights.
  return try withDevice(model.parameters.first?.value.device ?? .current) { () throws in
    try withMode(.inference) { () throws in
      var memory = model.memory(batch: 1, capacity: capacity)
      var unread = prompt
      if let longest = model.longestText { unread = unread.suffix(longest) }
      var seen = 0
      for position in 0..<count {
        if seen + unread.count > capacity {
          // The model's memory of previous tokens is full: reset it and read the last `capacity / 2` tokens again.
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
