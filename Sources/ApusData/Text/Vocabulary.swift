import ApusSystem

/// A list of words, and the token number of each word.
public struct Vocabulary: Hashable, Sendable {
  /// The text of each token; the index is the token number.
  public let words: [String]
  private let numbers: [String: Int32]

  /// - Returns: `nil` when a word occurs twice.
  public init?(_ words: [String]) {
    self.words = words
    numbers = Dictionary(words.enumerated().map { ($1, Int32($0)) }, uniquingKeysWith: { first, _ in first })
    guard numbers.count == words.count else { return nil }
  }

  /// Reserved words, then the most frequent other words, up to `size` words in all. Equally frequent words are sorted
  /// as strings.
  /// - Parameter counts: the number of occurrences of each word.
  init(reserved: [String], counts: [String: Int], size: Int) {
    let known = Set(reserved)
    let sorted = counts.filter { !known.contains($0.key) }
      .sortedArray { ($1.value, $0.key) < ($0.value, $1.key) }
    self.init(reserved + sorted.prefix(max(0, size - reserved.count)).map(\.key))!
  }

  public var count: Int { words.count }

  /// The number of a word; `nil` if it is not in the list.
  public subscript(word: String) -> Int32? { numbers[word] }

  /// The word of a number; `nil` for invalid token numbers.
  public func word(_ token: Int32) -> String? { words.indices.contains(Int(token)) ? words[Int(token)] : nil }

  var json: JSON { .array(words.map { .string($0) }) }

  /// - Returns: `nil` when `json` is not a list of distinct words.
  init?(_ json: JSON?) {
    guard let elements = json?.array else { return nil }
    let words = elements.compactMap(\.string)
    guard words.count == elements.count else { return nil }
    self.init(words)
  }
}
