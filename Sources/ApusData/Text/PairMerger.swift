/// Learns merges of adjacent symbols in words, for byte-pair encoding and WordPiece.
///
/// Each call of `merge` replaces one pair in all words. It visits only the words that contain the pair, or contained it
/// before an earlier merge.
struct PairMerger {
  struct Pair: Hashable {
    var left: Int32
    var right: Int32
  }

  /// The words as symbols, each with its number of occurrences.
  private var words: [(symbols: [Int32], count: Int)]
  private var pairCounts: [Pair: Int] = [:]
  /// For each pair, the indices of the words that contain the pair, or contained it before a merge.
  private var occurrences: [Pair: Set<Int>] = [:]
  private(set) var symbolCounts: [Int32: Int] = [:]

  init(_ words: [(symbols: [Int32], count: Int)]) {
    self.words = words
    for index in words.indices { add(index, words[index].count) }
  }

  /// Of the pairs that occur at least twice, the pair with the highest score; `nil` if no pair occurs twice. If several
  /// pairs have this score, the smallest left symbol decides, then the smallest right symbol.
  ///
  /// - Parameter score: returns the score of a pair that occurs `count` times, and whose symbols occur `left` and
  ///   `right` times.
  func best(_ score: (_ count: Int, _ left: Int, _ right: Int) -> Double) -> Pair? {
    var found: (pair: Pair, score: Double)?
    for (pair, count) in pairCounts where count > 1 {
      let value = score(count, symbolCounts[pair.left] ?? 0, symbolCounts[pair.right] ?? 0)
      if let best = found,
        value < best.score || value == best.score && (pair.left, pair.right) > (best.pair.left, best.pair.right)
      {
        continue
      }
      found = (pair, value)
    }
    return found?.pair
  }

  /// Replaces a pair by a symbol in all words.
  mutating func merge(_ pair: Pair, into symbol: Int32) {
    for index in (occurrences[pair] ?? []).sorted() {
      add(index, -words[index].count)
      words[index].symbols = merged(words[index].symbols, pair, symbol)
      add(index, words[index].count)
    }
    occurrences[pair] = nil
    pairCounts[pair] = nil
  }

  /// Adds `count` to the counts of a word's symbols and pairs.
  private mutating func add(_ index: Int, _ count: Int) {
    let symbols = words[index].symbols
    for symbol in symbols { symbolCounts[symbol, default: 0] += count }
    for (left, right) in zip(symbols, symbols.dropFirst()) {
      let pair = Pair(left: left, right: right)
      pairCounts[pair, default: 0] += count
      if count > 0 { occurrences[pair, default: []].insert(index) }
    }
  }
}

/// Replaces each occurrence of a pair, from the left.
func merged(_ symbols: [Int32], _ pair: PairMerger.Pair, _ symbol: Int32) -> [Int32] {
  var result: [Int32] = []
  result.reserveCapacity(symbols.count)
  var index = 0
  while index < symbols.count {
    if index + 1 < symbols.count, symbols[index] == pair.left, symbols[index + 1] == pair.right {
      result.append(symbol)
      index += 2
    } else {
      result.append(symbols[index])
      index += 1
    }
  }
  return result
}
