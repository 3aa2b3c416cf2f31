import ApusTestSupport
import Foundation
import Testing

@testable import ApusData

struct TokenizerTests {
  private static let text = """
    In the beginning God created the heaven and the earth.
    And the earth was without form, and void; "it's so" — été, naïve: 3,50 € (1611)
    the the the beginning earth earth
    """

  @Test(arguments: TokenizerCatalog.kinds)
  func learntTokenizersComeBackFromTheirFiles(_ kind: String) throws {
    let tokenizer = try #require(TokenizerCatalog.learn(kind, from: Self.text, size: 300))
    #expect(tokenizer.count <= 300 && type(of: tokenizer).kind == kind)
    let tokens = tokenizer.encode(Self.text)
    #expect(!tokens.isEmpty && tokens.allSatisfy { $0 > 0 && $0 < tokenizer.count })
    let stored = try JSON(parsing: Array(TokenizerCatalog.stored(tokenizer).text().utf8))
    let restored = try #require(TokenizerCatalog.restored(stored))
    #expect(restored.encode(Self.text) == tokens && restored.count == tokenizer.count)
    #expect(restored.decode(tokens) == tokenizer.decode(tokens))
    #expect(tokenizer.decode([-1, 0, Int32(tokenizer.count)]).isEmpty)
    #expect(tokenizer.encode("").isEmpty)
  }

  @Test func damagedFilesAreRefused() {
    let wrong: [JSON] = [
      nil, [:], ["kind": "letters", "content": []], ["kind": "character"], ["kind": "character", "content": [65, 65]],
      ["kind": "character", "content": [0xD800]], ["kind": "bpe", "content": [[1, 2], [1, 258]]],
      ["kind": "bpe", "content": [[1, 2], [1, 2]]], ["kind": "bpe", "content": [[0, 2]]],
      ["kind": "word", "content": ["lowercase": true, "words": ["[PAD]", "[UNK]", "a", "a"]]],
      ["kind": "word", "content": ["lowercase": true, "words": ["a"]]],
      ["kind": "wordpiece", "content": ["lowercase": true, "pieces": ["a"]]],
    ]
    for json in wrong { #expect(TokenizerCatalog.restored(json) == nil, "\(json.text())") }
    #expect(TokenizerCatalog.learn("letters", from: "a", size: 9) == nil)
  }

  @Test func characters() {
    let tokenizer = CharacterTokenizer(learning: "abba\u{301}c")
    #expect(tokenizer.characters == ["a", "b", "c", "\u{301}"] && tokenizer.count == 6)
    #expect(tokenizer.encode("cabx") == [4, 2, 3, ReservedToken.unknown])
    #expect(tokenizer.decode([4, 0, 2, 1]) == "ca\u{FFFD}")
    // If `size` is too small for all characters, the most frequent ones are learned.
    #expect(CharacterTokenizer(learning: "cabab", size: 4).characters == ["a", "b"])
  }

  @Test func words() {
    #expect(
      WordTokenizer.words(of: "He said: \"it's a well-known — 'fact' 1st.\"\nÉté-")
        == [
          "He", "said", ":", "\"", "it's", "a", "well-known", "—", "'", "fact", "'", "1st", ".", "\"", "\n", "Été", "-",
        ])
    let tokenizer = WordTokenizer(learning: "the cat, the dog; the cat", size: 5)
    #expect(tokenizer.vocabulary.words == ["[PAD]", "[UNK]", "the", "cat", ","])
    #expect(tokenizer.encode("the dog, cat") == [2, 1, 4, 3])
    #expect(tokenizer.decode([2, 3, 4, 3]) == "the cat, cat")
    #expect(WordTokenizer(learning: "A a A", size: 9, isLowercased: true).encode("A a") == [2, 2])
  }

  /// The merges were computed by hand: in `ab ab abc bc`, the most frequent pair is `a` and `b`. After this pair is
  /// merged, the most frequent pair is a space and `ab`.
  @Test func bytePairsAreLearntByFrequency() {
    let tokenizer = BytePairTokenizer(learning: "ab ab abc bc", size: 259)
    let (a, b, blank) = (Int32(98), Int32(99), Int32(33))
    #expect(tokenizer.merges == [[a, b], [blank, 257]])
    #expect(tokenizer.encode(" abab") == [258, 257])
    for text in ["", " ", "\u{0}\n\t  x", Self.text, "🙂 在 e\u{301}"] {
      #expect(Array(tokenizer.decode(tokenizer.encode(text)).utf8) == Array(text.utf8))
    }
    // The token of the byte 0xF0, the first of four bytes of a character, is decoded alone.
    #expect(tokenizer.decode([0xF0 + 1]) == "\u{FFFD}")
  }

  /// Each merge doubles a token, so the hundredth token would have 2¹⁰⁰ bytes.
  @Test func vocabulariesAreBounded() throws {
    let doubling = (256..<356).map { (token: Int32) -> [Int32] in [token, token] }
    #expect(BytePairTokenizer(merges: doubling) == nil)
    let tokenizer = try #require(BytePairTokenizer(merges: Array(doubling.prefix(20))))
    #expect(tokenizer.decode([276]).utf8.count > 1 << 19)
  }

  /// WordPiece merges the pieces a and b with the largest `count(ab) / (count(a) · count(b))`: 2 / (2 · 3) for `q ##u`,
  /// and only 3 / (5 · 4) for `t ##h`.
  @Test func wordPiecesAreLearntByLikelihood() {
    let tokenizer = WordPieceTokenizer(learning: "qu qu ou th th th tx ty xh", size: 5 + 8 + 1)
    #expect(tokenizer.vocabulary.words.last == "qu")
    #expect(tokenizer.encode("QU th") == tokenizer.encode("qu th"))
    #expect(tokenizer.decode(tokenizer.encode("qu th")) == "qu th")
    #expect(tokenizer.encode("zz") == [ReservedToken.unknown])
  }

  /// Byte-pair encoding and WordPiece agree with the Python package `tokenizers`; see `Tests/Conformance/tokens.py`.
  @Test func agreesWithOtherTokenizers() throws {
    let tests = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent()
    let fixture = try JSON(parsing: Array(Data(contentsOf: tests.appending(path: "Conformance/tokens.json"))))
    let texts = fixture["texts"]?.array?.compactMap(\.string) ?? []
    func tokens(_ kind: String) -> [[Int32]] {
      fixture[kind]?["tokens"]?.array?.map { $0.array?.compactMap { $0.integer.map(Int32.init) } ?? [] } ?? []
    }
    let merges: JSON = fixture["bpe"]?["merges"] ?? nil
    let pairs = try #require(BytePairTokenizer(merges))
    let known = Vocabulary(fixture["wordpiece"]?["pieces"])
    let vocabulary = try #require(known)
    let pieces = try #require(WordPieceTokenizer(vocabulary: vocabulary))
    for (index, text) in texts.enumerated() {
      #expect(pairs.encode(text) == tokens("bpe")[index], "\(text)")
      #expect(pieces.encode(text) == tokens("wordpiece")[index], "\(text)")
    }
    #expect(texts.count >= 8)
  }
}
