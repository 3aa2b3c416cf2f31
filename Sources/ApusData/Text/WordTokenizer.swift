/// Words, punctuation marks and line ends are tokens: `He said: "it's so"` is `He`, `said`, `:`, `"`, `it's`, `so`,
/// `"`.
///
/// A word is a run of letters, digits and combining marks, with apostrophes and hyphens inside. White space other than
/// a line feed is dropped; decoding inserts spaces between words, except around some punctuation marks. Any other
/// character is a token of its own.
public struct WordTokenizer: Tokenizer, Hashable {
  public static let kind = "word"

  /// The tokens: two reserved ones, then words.
  public let vocabulary: Vocabulary
  /// Whether text is lowercased.
  public let isLowercased: Bool

  private static let reserved = ["[PAD]", "[UNK]"]

  /// - Precondition: the vocabulary starts with `[PAD]` and `[UNK]`.
  public init(vocabulary: Vocabulary, isLowercased: Bool = false) {
    guard Array(vocabulary.words.prefix(2)) == WordTokenizer.reserved else {
      fatalError("WordTokenizer: the vocabulary must start with [PAD] and [UNK]")
    }
    self.vocabulary = vocabulary
    self.isLowercased = isLowercased
  }

  /// Learns the most frequent words of a text, case-sensitively.
  public init(learning text: String, size: Int) { self.init(learning: text, size: size, isLowercased: false) }

  /// Learns the most frequent words of a text.
  public init(learning text: String, size: Int, isLowercased: Bool) {
    var counts: [String: Int] = [:]
    for word in WordTokenizer.words(of: isLowercased ? text.lowercased() : text) { counts[word, default: 0] += 1 }
    self.init(
      vocabulary: Vocabulary(reserved: WordTokenizer.reserved, counts: counts, size: size),
      isLowercased: isLowercased)
  }

  public var count: Int { vocabulary.count }

  public func encode(_ text: String) -> [Int32] {
    WordTokenizer.words(of: isLowercased ? text.lowercased() : text).map { vocabulary[$0] ?? ReservedToken.unknown }
  }

  /// Decodes tokens: separates words by spaces, except before `, . ; : ! ? ) ]`, after `( [` and at line ends.
  public func decode(_ tokens: some Sequence<Int32>) -> String {
    var text = ""
    var isJoined = true
    for token in tokens where token != ReservedToken.padding {
      guard let word = vocabulary.word(token) else { continue }
      if !isJoined, word != "\n", word.count > 1 || !",.;:!?)]".contains(word) { text += " " }
      text += word
      isJoined = word == "\n" || word == "(" || word == "["
    }
    return text
  }

  public var json: JSON { ["lowercase": .bool(isLowercased), "words": vocabulary.json] }

  /// Restores the tokenizer from `json`; `nil` when `json` is invalid.
  public init?(_ json: JSON) {
    guard let isLowercased = json["lowercase"]?.bool, let vocabulary = Vocabulary(json["words"]),
      Array(vocabulary.words.prefix(2)) == WordTokenizer.reserved
    else { return nil }
    self.init(vocabulary: vocabulary, isLowercased: isLowercased)
  }

  /// Splits a text into words, line feeds and other single characters; spaces are left out.
  static func words(of text: String) -> [String] {
    var words: [String] = []
    var word = String.UnicodeScalarView()
    /// An apostrophe or hyphen after a word; it belongs to the word if a letter, a digit or a mark follows.
    var link: Unicode.Scalar?
    func finish() {
      if !word.isEmpty { words.append(String(word)) }
      word = .init()
      if let mark = link { words.append(String(mark)) }
      link = nil
    }
    for scalar in text.unicodeScalars {
      if scalar.isWordPart {
        if let mark = link { word.append(mark) }
        link = nil
        word.append(scalar)
      } else if scalar == "'" || scalar == "’" || scalar == "-", !word.isEmpty, link == nil {
        link = scalar
      } else {
        finish()
        if scalar == "\n" || !scalar.properties.isWhitespace { words.append(String(scalar)) }
      }
    }
    finish()
    return words
  }
}

extension Unicode.Scalar {
  /// Whether this is a letter, a mark or a digit.
  var isWordPart: Bool {
    if value < 0x80 { return isLetter || isDigit }
    return properties.isAlphabetic || properties.numericType != nil || properties.isJoined
  }

  private var isLetter: Bool { (0x41...0x5A).contains(value & ~0x20) }
  private var isDigit: Bool { (0x30...0x39).contains(value) }
}

extension Unicode.Scalar.Properties {
  /// Whether this is a mark that combines with the preceding letter.
  fileprivate var isJoined: Bool {
    generalCategory == .nonspacingMark || generalCategory == .spacingMark || generalCategory == .enclosingMark
  }
}
