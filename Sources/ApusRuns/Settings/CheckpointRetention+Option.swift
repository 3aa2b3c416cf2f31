import Apus
import ApusSystem

extension CheckpointRetention {
  private enum Key: String, CaseIterable { case last, best }

  /// The checkpoints that are kept without `--keep`.
  package static let `default` = CheckpointRetention()

  /// Parses the value of `--keep`, such as `last=3,best` or `best=accuracy`.
  package init(parsing text: String) throws(OptionError) {
    func failure(_ message: String) -> OptionError {
      OptionError("--keep \(text.printable(limit: 200)): \(message)")
    }
    self.init()
    var known: Set<Key> = []
    for part in text.split(separator: ",", omittingEmptySubsequences: false) {
      let words = part.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
      guard let key = Key(rawValue: words[0]) else {
        throw failure("unknown \(words[0].quoted())\(suggestion(for: words[0], in: Key.allCases.map(\.rawValue)))")
      }
      guard known.insert(key).inserted else { throw failure("\(key.rawValue) is given twice") }
      switch key {
      case .last:
        let kind = ValueKind<Int>.count(upTo: 1_000_000)
        guard words.count == 2, let count = kind.parse(words[1]) else {
          throw failure("last=N needs \(kind.expectation)")
        }
        last = count
      case .best:
        let name = words.count == 2 ? words[1] : SelectionMeasure.loss.rawValue
        guard let measure = SelectionMeasure(rawValue: name) else {
          let measures = SelectionMeasure.allCases.map(\.rawValue)
          throw failure("unknown measure \(name.quoted())\(suggestion(for: name, in: measures))")
        }
        best = measure
      }
    }
  }

  /// The value of `--keep` that `init(parsing:)` parses to this retention.
  package var text: String { "last=\(last)" + (best.map { ",best" + ($0 == .loss ? "" : "=\($0.rawValue)") } ?? "") }
}

extension ValueKind<CheckpointChoice> {
  /// A checkpoint of a run: `last`, `best`, or a step such as `step-17`. The name of the checkpoint's folder, such as
  /// `step-000000017`, is accepted too.
  package static let checkpoint = ValueKind(
    "WHICH", expectation: "last, best or step-N, such as step-100", completion: .words(["last", "best"])
  ) { text in
    if text == "last" { return .last }
    if text == "best" { return .best }
    guard text.hasPrefix("step-") else { return nil }
    return ValueKind<Int>.nonNegativeCount(upTo: 1_000_000_000).parse(String(text.dropFirst(5))).map { .step($0) }
  }
}
