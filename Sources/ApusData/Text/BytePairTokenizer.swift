import ApusSystem

/// Byte-pair encoding (Sennrich, Haddow, Birch, 2016) over bytes, as in GPT-2 (Radford et al., 2019): every text can be
/// encoded, and decoding restores it byte for byte.
///
/// Token 0 is padding, tokens 1 … 256 are the bytes, and each merge adds a token. Merges stay within one unit. A unit
/// is a run of whitespace, a contraction such as `'s`, or one of the following: a word, a run of digits, a run of other
/// characters. If the character `" "` precedes such a word or run, it belongs to the same unit.
public struct BytePairTokenizer: Tokenizer, Hashable {
  public static let kind = "bpe"

  /// The merged pairs of tokens, in learning order: the first pair becomes token 257.
  public let merges: [[Int32]]
  /// The token of each merged pair; tokens of earlier merges are smaller.
  private let mergedTokens: [PairMerger.Pair: Int32]
  /// The bytes of each token.
  private let bytes: [[UInt8]]

  private static let firstByte: Int32 = 1
  private static let firstMerge: Int32 = 257

  /// The maximum number of bytes of all merged tokens together. The token of each merge may be twice as long as the
  /// token of the previous merge, so forty merges could fill any memory.
  private static let limit = 1 << 26

  /// - Returns: `nil` when a merge is not a pair of earlier tokens other than padding, a pair occurs twice, or the
  ///   texts of all merged tokens together exceed 64 MiB.
  public init?(merges: [[Int32]]) {
    var bytes: [[UInt8]] = [[]] + (0...255).map { [UInt8($0)] }
    var total = 0
    var mergedTokens: [PairMerger.Pair: Int32] = [:]
    for merge in merges {
      guard merge.count == 2, merge.allSatisfy({ $0 >= BytePairTokenizer.firstByte && $0 < bytes.count }) else {
        return nil
      }
      let old = mergedTokens.updateValue(Int32(bytes.count), forKey: .init(left: merge[0], right: merge[1]))
      total += bytes[Int(merge[0])].count + bytes[Int(merge[1])].count
      guard old == nil, total <= BytePairTokenizer.limit else { return nil }
      bytes.append(bytes[Int(merge[0])] + bytes[Int(merge[1])])
    }
    (self.merges, self.mergedTokens, self.bytes) = (merges, mergedTokens, bytes)
  }

  /// Repeatedly merges the most frequent pair, until there are `size` tokens, no pair occurs twice, or the texts of all
  /// merged tokens together would exceed 64 MiB.
  public init(learning text: String, size: Int) {
    var counts: [[UInt8]: Int] = [:]
    BytePairTokenizer.forEachUnit(of: text) { counts[Array($0), default: 0] += 1 }
    let words = counts.sortedArray { $0.key.lexicographicallyPrecedes($1.key) }
      .map { (symbols: $0.key.map { Int32($0) + BytePairTokenizer.firstByte }, count: $0.value) }
    var merger = PairMerger(words)
    var merges: [[Int32]] = []
    var lengths = [0] + Array(repeating: 1, count: 256)
    var total = 0
    while Int(BytePairTokenizer.firstMerge) + merges.count < size,
      let pair = merger.best({ count, _, _ in Double(count) })
    {
      lengths.append(lengths[Int(pair.left)] + lengths[Int(pair.right)])
      total += lengths[lengths.count - 1]
      guard total <= BytePairTokenizer.limit else { break }
      merger.merge(pair, into: BytePairTokenizer.firstMerge + Int32(merges.count))
      merges.append([pair.left, pair.right])
    }
    self.init(merges: merges)!
  }

  public var count: Int { bytes.count }

  public func encode(_ text: String) -> [Int32] {
    var known: [ArraySlice<UInt8>: [Int32]] = [:]
    var tokens: [Int32] = []
    BytePairTokenizer.forEachUnit(of: text) { part in
      let own = known[part] ?? encoded(part)
      known[part] = own
      tokens += own
    }
    return tokens
  }

  /// Applies the merges in learning order.
  private func encoded(_ part: ArraySlice<UInt8>) -> [Int32] {
    var symbols = part.map { Int32($0) + BytePairTokenizer.firstByte }
    while symbols.count > 1 {
      var first: (pair: PairMerger.Pair, token: Int32)?
      for (left, right) in zip(symbols, symbols.dropFirst()) {
        let pair = PairMerger.Pair(left: left, right: right)
        if let token = mergedTokens[pair], token < first?.token ?? .max { first = (pair, token) }
      }
      guard let first else { break }
      symbols = merged(symbols, first.pair, first.token)
    }
    return symbols
  }

  /// Decodes tokens; bytes that are not UTF-8, such as an incomplete character, become U+FFFD.
  public func decode(_ tokens: some Sequence<Int32>) -> String {
    String(decoding: tokens.flatMap { bytes.indices.contains(Int($0)) ? bytes[Int($0)] : [] }, as: UTF8.self)
  }

  public var json: JSON { .array(merges.map { .array($0.map { .integer(Int($0)) }) }) }

  /// Restores the tokenizer from `json`; `nil` when `json` is invalid.
  public init?(_ json: JSON) {
    guard let elements = json.array else { return nil }
    // An invalid token becomes −1, which `init(merges:)` rejects.
    self.init(merges: elements.map { ($0.array ?? []).map { $0.integer.flatMap(Int32.init(exactly:)) ?? -1 } })
  }

  // MARK: - Units

  private enum ScalarKind { case letters, digits, whitespace, other }

  /// Splits a text into the units within which merges happen, as GPT-2 does:
  /// `'s|'t|'re|'ve|'m|'ll|'d| ?letters| ?digits| ?others|whitespace`. If text follows a run of several whitespace
  /// characters, the last of them is not part of the run's unit, but starts the next one. `body` receives the units one
  /// by one, because a list of all units occupies more memory than the text.
  private static func forEachUnit(of text: String, _ body: (ArraySlice<UInt8>) -> Void) {
    let scalars = Array(text.unicodeScalars)
    let kinds = scalars.map { kind(of: $0) }
    let bytes = Array(text.utf8)
    var (position, offset) = (0, 0)
    while position < scalars.count {
      let end = end(of: position, scalars, kinds)
      let next = scalars[position..<end].reduce(offset) { $0 + UTF8.width($1) }
      body(bytes[offset..<next])
      (position, offset) = (end, next)
    }
  }

  /// The end of the unit that begins at `start`.
  private static func end(of start: Int, _ scalars: [Unicode.Scalar], _ kinds: [ScalarKind]) -> Int {
    if scalars[start] == "'", let count = contraction(scalars[(start + 1)...]) { return start + 1 + count }
    let hasSpace = scalars[start] == " " && start + 1 < scalars.count && kinds[start + 1] != .whitespace
    let first = hasSpace ? start + 1 : start
    let end = kinds[first...].firstIndex { $0 != kinds[first] } ?? kinds.count
    let leavesOne = kinds[first] == .whitespace && end < kinds.count && end - start > 1
    return leavesOne ? end - 1 : end
  }

  /// The length of an English contraction after an apostrophe, such as `re` or `ll`; `nil` if there is none.
  private static func contraction(_ rest: ArraySlice<Unicode.Scalar>) -> Int? {
    let endings: [[Unicode.Scalar]] = [["s"], ["t"], ["r", "e"], ["v", "e"], ["m"], ["l", "l"], ["d"]]
    return endings.first { rest.starts(with: $0) }?.count
  }

  private static func kind(of scalar: Unicode.Scalar) -> ScalarKind {
    if scalar.value < 0x80 {
      switch scalar.value {
      case 0x30...0x39: return .digits
      case 0x41...0x5A, 0x61...0x7A: return .letters
      case 0x20, 0x09...0x0D: return .whitespace
      default: return .other
      }
    }
    let properties = scalar.properties
    if properties.isWhitespace { return .whitespace }
    switch properties.generalCategory {
    case .uppercaseLetter, .lowercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter: return .letters
    case .decimalNumber, .letterNumber, .otherNumber: return .digits
    default: return .other
    }
  }
}
