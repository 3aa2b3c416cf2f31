import ApusSystem

/// Every character (Unicode scalar) is a token.
public struct CharacterTokenizer: Tokenizer, Hashable {
  public static let kind = "character"

  /// The characters of the tokens 2, 3, …; characters that were learned are in the order of their code points.
  public let characters: [Unicode.Scalar]
  private let numbers: [Unicode.Scalar: Int32]

  private static let reservedCount = 2

  /// - Precondition: no character occurs twice.
  public init(characters: [Unicode.Scalar]) {
    self.characters = characters
    let first = Int32(CharacterTokenizer.reservedCount)
    numbers = Dictionary(
      uniqueKeysWithValues: characters.enumerated().map { ($1, Int32($0) + first) })
  }

  /// Learns the characters of a text: all, or only the most frequent ones if there would be more than `size` tokens.
  public init(learning text: String, size: Int = .max) {
    var counts: [Unicode.Scalar: Int] = [:]
    for scalar in text.unicodeScalars { counts[scalar, default: 0] += 1 }
    let room = max(0, size - CharacterTokenizer.reservedCount)
    let frequent = counts.sortedArray { ($1.value, $0.key) < ($0.value, $1.key) }.prefix(room).map(\.key)
    self.init(characters: frequent.sorted())
  }

  public var count: Int { characters.count + CharacterTokenizer.reservedCount }

  public func encode(_ text: String) -> [Int32] {
    var tokens: [Int32] = []
    // Reserves the memory at once: while an array grows, its old memory and new memory of twice the size exist
    // together, and texts are long.
    tokens.reserveCapacity(text.utf8.count)
    for scalar in text.unicodeScalars { tokens.append(numbers[scalar] ?? ReservedToken.unknown) }
    return tokens
  }

  /// Decodes tokens; the token for unknown characters becomes U+FFFD, and other tokens without a character are skipped.
  public func decode(_ tokens: some Sequence<Int32>) -> String {
    var text = String.UnicodeScalarView()
    for token in tokens {
      let position = Int(token) - CharacterTokenizer.reservedCount
      if characters.indices.contains(position) {
        text.append(characters[position])
      } else if token == ReservedToken.unknown {
        text.append("\u{FFFD}")
      }
    }
    return String(text)
  }

  public var json: JSON { .array(characters.map { .integer(Int($0.value)) }) }

  /// Restores the tokenizer from `json`; `nil` when `json` is invalid.
  public init?(_ json: JSON) {
    guard let elements = json.array else { return nil }
    let scalars = elements.compactMap { $0.integer.flatMap(UInt32.init(exactly:)).flatMap(Unicode.Scalar.init) }
    guard scalars.count == elements.count, Set(scalars).count == scalars.count else { return nil }
    self.init(characters: scalars)
  }
}
