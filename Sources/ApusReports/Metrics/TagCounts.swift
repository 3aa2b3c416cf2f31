import ApusData
import ApusSystem

/// For each tag of a sheet (a table in which a user tags misclassified examples), the fraction of a model's errors with
/// this tag, and the possible gain from correcting them.
public struct TagCounts: Hashable, Sendable {
  /// A tag and the misclassified examples that have it. Examples may have several tags, so the fractions of all tags
  /// may add up to more than 1.
  public struct Tag: Hashable, Sendable {
    public var name: String
    /// The number of misclassified examples in the sheet that have the tag.
    public var count: Int
    /// The fraction of the examined examples that have the tag.
    public var share: Double
    /// The accuracy if those `count` examples were classified correctly, and nothing else changed.
    public var fixedAccuracy: Double
    /// The estimated accuracy if all errors to which the tag applies were corrected, also those that nobody examined:
    /// `accuracy + share · (1 − accuracy)`. The formula assumes that the tag is as frequent among all errors as among
    /// the examined ones. Work on this tag can reach at most this accuracy.
    public var ceiling: Double
  }

  /// The tags, the most frequent first.
  public let tags: [Tag]
  /// The number of misclassified examples.
  public let errorCount: Int
  /// The number of misclassified examples with a tag or a comment in the sheet. The others count as not examined.
  public let examinedCount: Int
  /// The number of rows of the sheet that are left out: the example of such a row is not an error of this model, or has
  /// another true class. The sheet then comes from another model or other data.
  public let unmatchedCount: Int
  /// The fraction of all examples that are classified correctly.
  public let accuracy: Double

  /// Counts the tags of a sheet for the errors of an analysis.
  public init(_ sheet: ErrorSheet, of analysis: ErrorAnalysis) {
    let wrong = Dictionary(uniqueKeysWithValues: analysis.entries.map { ($0.example, $0.truth) })
    let own = sheet.rows.filter { wrong[$0.example] == $0.truth }
    let examined = own.filter(\.isExamined)
    var counts: [String: Int] = [:]
    for row in examined { for tag in row.tags { counts[tag, default: 0] += 1 } }
    let (accuracy, total) = (analysis.accuracy, analysis.count)
    tags = counts.sortedArray { ($1.value, $0.key) < ($0.value, $1.key) }.map { name, count in
      let share = ratio(count, examined.count)
      return Tag(
        name: name, count: count, share: share,
        fixedAccuracy: ratio(total - analysis.entries.count + count, total),
        ceiling: accuracy.lerp(to: 1, share))
    }
    errorCount = analysis.entries.count
    examinedCount = examined.count
    unmatchedCount = sheet.rows.count - own.count
    self.accuracy = accuracy
  }

  public var json: JSON {
    [
      "accuracy": .number(accuracy), "errors": .integer(errorCount), "examined": .integer(examinedCount),
      "unmatched_rows": .integer(unmatchedCount),
      "tags": .array(
        tags.map {
          [
            "tag": .string($0.name), "errors": .integer($0.count), "share": .number($0.share),
            "fixed_accuracy": .number($0.fixedAccuracy), "ceiling": .number($0.ceiling),
          ]
        }),
    ]
  }
}
