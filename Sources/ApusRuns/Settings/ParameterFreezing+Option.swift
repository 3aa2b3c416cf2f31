import Apus
import ApusSystem

extension ParameterFreezing.Rule {
  /// The value of `--freeze` with which all parameters are trained.
  package static let none = "none"

  /// Parses the value of `--freeze`, such as `conv1, fc.bias after 3`.
  package static func list(parsing text: String) throws(OptionError) -> [ParameterFreezing.Rule] {
    if text == none { return [] }
    var rules: [ParameterFreezing.Rule] = []
    for part in text.split(separator: ",", omittingEmptySubsequences: false) {
      let words = part.split(whereSeparator: \.isWhitespace).map(String.init)
      let count = words.count == 3 && words[1] == "after" ? ValueKind<Int>.count.parse(words[2]) : nil
      guard words.count == 1 || count != nil else {
        throw OptionError(
          "--freeze \(text.printable(limit: 200)): \(String(part).quoted()) is not KEY or KEY after EPOCHS, such as "
            + "conv1 or fc.bias after 3")
      }
      rules.append(ParameterFreezing.Rule(words[0], after: count ?? 0))
    }
    return rules
  }

  /// The value of `--freeze` that `list(parsing:)` parses to these rules.
  package static func text(_ rules: [ParameterFreezing.Rule]) -> String {
    rules.map { $0.epochs == 0 ? $0.key : "\($0.key) after \($0.epochs)" }.joined(separator: ", ")
  }
}
