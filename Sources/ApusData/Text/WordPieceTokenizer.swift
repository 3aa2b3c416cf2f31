import ApusSystem

@_spi(_Unicode) import Swift

/// WordPiece (Schuster, Nakajima, 2012) as BERT uses it (Devlin et al., 2019): each word is split into the longest
/// known pieces, from the left. Pieces that do not begin a word have the prefix `##`.
///
/// Text is split into words at spaces and around punctuation and Chinese characters. A word that known pieces do not
/// cover is one unknown token.
public struct WordPieceTokenizer: Tokenizer, Hashable {
  public static let kind = "wordpiece"

  /// The pieces, numbered like the lines of BERT's `vocab.txt`.
  public let vocabulary: Vocabulary
  /// Whether text is lowercased and accents are dropped.
  public let isLowercased: Bool
  private let unknown: Int32

  static let reserved = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
  /// The maximum word length; longer words are unknown, as in BERT.
  private static let longestWord = 100

  /// - Parameter vocabulary: the pieces.
  /// - Returns: `nil` if the vocabulary has no `[UNK]`.
  public init?(vocabulary: Vocabulary, isLowercased: Bool = true) {
    guard let unknown = vocabulary["[UNK]"] else { return nil }
    (self.vocabulary, self.isLowercased, self.unknown) = (vocabulary, isLowercased, unknown)
  }

  /// Learns pieces from a text, after lowercasing it and dropping its accents.
  public init(learning text: String, size: Int) { self.init(learning: text, size: size, isLowercased: true) }

  /// Learns pieces from a text. The first pieces are the reserved ones. They are followed by the characters of the
  /// text, sorted as strings, up to `size` pieces in all; characters that do not begin a word have the prefix `##`.
  /// Then each round merges the pair `ab` with the largest `count(ab) / (count(a) · count(b))`: of all merges, this one
  /// increases the likelihood of the text most. The rounds end when there are `size` pieces, or when no pair occurs
  /// twice.
  public init(learning text: String, size: Int, isLowercased: Bool) {
    var counts: [String: Int] = [:]
    for word in WordPieceTokenizer.words(of: text, isLowercased) { counts[word, default: 0] += 1 }
    let words = counts.sortedArray { $0.key < $1.key }
    var pieces = WordPieceTokenizer.reserved
    var numbers: [String: Int32] = [:]
    func number(_ piece: String) -> Int32 {
      if let number = numbers[piece] { return number }
      numbers[piece] = Int32(pieces.count)
      pieces.append(piece)
      return Int32(pieces.count - 1)
    }
    let alphabet = Set(words.flatMap { WordPieceTokenizer.characters(of: $0.key) }).sorted()
    for piece in alphabet.prefix(max(0, size - pieces.count)) { _ = number(piece) }
    let symbols = words.compactMap { word, count -> (symbols: [Int32], count: Int)? in
      let own = WordPieceTokenizer.characters(of: word).map { numbers[$0] }
      return own.contains(nil) ? nil : (own.compactMap(\.self), count)
    }
    var merger = PairMerger(symbols)
    while pieces.count < size,
      let pair = merger.best({ Double($0) / (Double($1) * Double($2)) })
    {
      // Different pairs can form the same piece, so `number` may return an existing token.
      let right = pieces[Int(pair.right)]
      merger.merge(pair, into: number(pieces[Int(pair.left)] + right.dropFirst(2)))
    }
    self.init(vocabulary: Vocabulary(pieces)!, isLowercased: isLowercased)!
  }

  public var count: Int { vocabulary.count }

  public func encode(_ text: String) -> [Int32] {
    var known: [String: [Int32]] = [:]
    var tokens: [Int32] = []
    for word in WordPieceTokenizer.words(of: text, isLowercased) {
      let own = known[word] ?? pieces(of: word)
      known[word] = own
      tokens += own
    }
    return tokens
  }

  private func pieces(of word: String) -> [Int32] {
    let scalars = Array(word.unicodeScalars)
    guard scalars.count <= WordPieceTokenizer.longestWord else { return [unknown] }
    var pieces: [Int32] = []
    var start = 0
    while start < scalars.count {
      var end = scalars.count
      var found: Int32?
      while end > start, found == nil {
        let piece = String(String.UnicodeScalarView(scalars[start..<end]))
        found = vocabulary[start == 0 ? piece : "##" + piece]
        if found == nil { end -= 1 }
      }
      guard let found else { return [unknown] }
      pieces.append(found)
      start = end
    }
    return pieces
  }

  /// Decodes tokens: joins pieces, and separates words by spaces except before `, . ; : ! ? ) ]`. Padding and invalid
  /// token numbers are left out.
  public func decode(_ tokens: some Sequence<Int32>) -> String {
    var text = ""
    for token in tokens {
      guard let piece = vocabulary.word(token), piece != "[PAD]" else { continue }
      if piece.hasPrefix("##"), piece.count > 2 {
        text += piece.dropFirst(2)
      } else {
        let isMark = piece.count == 1 && ",.;:!?)]".contains(piece)
        text += (text.isEmpty || isMark ? "" : " ") + piece
      }
    }
    return text
  }

  public var json: JSON { ["lowercase": .bool(isLowercased), "pieces": vocabulary.json] }

  /// Restores the tokenizer from `json`; `nil` when `json` is invalid.
  public init?(_ json: JSON) {
    guard let isLowercased = json["lowercase"]?.bool, let vocabulary = Vocabulary(json["pieces"]) else { return nil }
    self.init(vocabulary: vocabulary, isLowercased: isLowercased)
  }

  // MARK: - Words

  /// The characters of a word as pieces: `token` gives `t`, `##o`, `##k`, `##e`, `##n`.
  private static func characters(of word: String) -> [String] {
    word.unicodeScalars.enumerated().map { $0 == 0 ? String($1) : "##" + String($1) }
  }

  /// BERT's words: text is split at spaces, each punctuation mark and each Chinese character is a word, and control
  /// characters are dropped.
  static func words(of text: String, _ isLowercased: Bool) -> [String] {
    var words: [String] = []
    var word = String.UnicodeScalarView()
    func finish() {
      if !word.isEmpty { words.append(String(word)) }
      word = .init()
    }
    func take(_ scalar: Unicode.Scalar) {
      if scalar.properties.isWhitespace {
        finish()
      } else if scalar.isPunctuation || scalar.isChinese {
        finish()
        words.append(String(scalar))
      } else if !scalar.isControl {
        word.append(scalar)
      }
    }
    if isLowercased {
      for scalar in text.lowercased()._nfd where scalar.properties.generalCategory != .nonspacingMark { take(scalar) }
    } else {
      for scalar in text.unicodeScalars { take(scalar) }
    }
    finish()
    return words
  }
}

extension Unicode.Scalar {
  /// Whether this is Unicode punctuation, or a visible ASCII character that is neither a letter nor a digit.
  fileprivate var isPunctuation: Bool {
    switch value {
    case 33...47, 58...64, 91...96, 123...126: return true
    case 0...127: return false
    default:
      return switch properties.generalCategory {
      case .connectorPunctuation, .dashPunctuation, .openPunctuation, .closePunctuation, .initialPunctuation,
        .finalPunctuation, .otherPunctuation:
        true
      default: false
      }
    }
  }

  /// Whether this is in a block of CJK unified or compatibility ideographs.
  fileprivate var isChinese: Bool {
    switch value {
    case 0x4E00...0x9FFF, 0x3400...0x4DBF, 0x20000...0x2A6DF, 0x2A700...0x2CEAF, 0xF900...0xFAFF, 0x2F800...0x2FA1F:
      true
    default: false
    }
  }

  fileprivate var isControl: Bool {
    switch properties.generalCategory {
    case .control, .format, .surrogate, .privateUse, .unassigned: true
    default: self == "\u{FFFD}"
    }
  }
}
