import ApusSystem

private let longestWord = 256
private let mostWords = 10_000

/// The word that is most similar to a misspelled `text`; `nil` when none is similar.
///
/// If `text` has at least two characters and some words begin with it, the result is the shortest of these words.
/// Otherwise it is the word with the least edit distance from `text`, without regard to case. It is `nil` if this
/// distance is more than 1 and more than half the length of the shorter of the two, rounded up.
///
/// Text and words may come from a file, so only words of at most 256 bytes are compared, and at most 10,000 of them.
package func nearestMatch(to text: String, in words: [String]) -> String? {
  guard text.utf8.count <= longestWord else { return nil }
  let words = words.prefix(mostWords).filter { $0.utf8.count <= longestWord }
  let longer = words.filter { text.count >= 2 && $0.hasPrefix(text) }
  if let word = longer.min(by: { $0.count < $1.count }) { return word }
  let scored = words.map { (word: $0, distance: editDistance(text.lowercased(), $0.lowercased())) }
  guard let best = scored.min(by: { $0.distance < $1.distance }) else { return nil }
  return best.distance <= max(1, ceilDivide(min(text.count, best.word.count), 2)) ? best.word : nil
}

/// The end of a message about an unknown word: the most similar word and, if there are few, all known words.
package func suggestion(for text: String, in words: [String]) -> String {
  let known = words.count <= 12 ? "; choose from " + words.map { $0.printable(limit: 80) }.joined(separator: ", ") : ""
  guard let match = nearestMatch(to: text, in: words) else { return known }
  return "; did you mean \(match.printable(limit: 80))?" + (known.isEmpty ? "" : " (\(known.dropFirst(2)))")
}

/// The edit distance (optimal string alignment): the least number of letters to insert, to remove, to replace, or to
/// swap with a neighbor.
private func editDistance(_ one: String, _ other: String) -> Int {
  let (a, b) = (Array(one), Array(other))
  var rows = [[Int]](repeating: Array(0...b.count), count: a.count + 1)
  for i in 0...a.count { rows[i][0] = i }
  for i in stride(from: 1, through: a.count, by: 1) {
    for j in stride(from: 1, through: b.count, by: 1) {
      let replaced = rows[i - 1][j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1)
      var best = min(rows[i - 1][j] + 1, rows[i][j - 1] + 1, replaced)
      if i > 1, j > 1, a[i - 1] == b[j - 2], a[i - 2] == b[j - 1] { best = min(best, rows[i - 2][j - 2] + 1) }
      rows[i][j] = best
    }
  }
  return rows[a.count][b.count]
}
