import Apus
import ApusRuns
import ApusSystem

extension Arguments {
  /// Parses the arguments after a command's name.
  ///
  /// Options and positional arguments may be mixed; `--` ends the options. The value of an option is the next word, or
  /// follows an equals sign.
  init(parsing words: [String], for command: any Command.Type) throws(OptionError) {
    self.init()
    var parser = Parser(
      options: command.declarations.filter { !$0.isArgument },
      arguments: command.declarations.filter(\.isArgument), rest: words[...])
    try parser.run(into: &self)
  }
}

private struct Parser {
  let options: [Declaration]
  var arguments: [Declaration]
  var rest: ArraySlice<String>

  mutating func run(into result: inout Arguments) throws(OptionError) {
    var areOptionsOver = false
    while let word = rest.popFirst() {
      if !areOptionsOver, word == "--" {
        areOptionsOver = true
      } else if !areOptionsOver, word.hasPrefix("-"), word != "-" {
        try option(word, into: &result)
      } else {
        try argument(word, into: &result)
      }
    }
    if let missing = arguments.first(where: { $0.role == .requiredArgument && !result.contains($0) }) {
      throw failure("\(missing.placeholder) is missing (\(missing.help))")
    }
  }

  private mutating func option(_ word: String, into result: inout Arguments) throws(OptionError) {
    let parts = word.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
    let known = options.map { "--\($0.name)" }
    guard let index = known.firstIndex(of: String(parts[0])) else {
      let match = Parser.synonym(of: parts[0], known) ?? nearest(String(parts[0].drop { $0 == "-" }))
      throw failure("unknown option \(parts[0])" + (match.map { "; did you mean \($0)?" } ?? ""))
    }
    let declaration = options[index]
    guard declaration.repeats || !result.contains(declaration) else {
      throw failure("--\(declaration.name) is given twice")
    }
    if declaration.role == .flag {
      guard parts.count == 1 else { throw failure("--\(declaration.name) takes no value") }
      result.append(true, for: declaration)
    } else if parts.count > 1 {
      result.append(try value(String(parts[1]), of: declaration), for: declaration)
    } else {
      guard let next = rest.first, !next.hasPrefix("--") else {
        throw failure("--\(declaration.name) needs a value: \(declaration.expectation)")
      }
      rest.removeFirst()
      result.append(try value(next, of: declaration), for: declaration)
    }
  }

  /// Common names of options in other programs, with the names of these options in `apus`.
  private static let synonyms = [
    "lr": "learning-rate", "wd": "weight-decay", "bs": "batch-size", "dataset": "data", "out": "output",
    "lr-schedule": "schedule", "lr-scheduler": "schedule", "optim": "optimizer", "num-workers": "workers",
    "pretrained": "weights", "checkpoint": "resume",
  ]

  private static func synonym(of word: Substring, _ known: [String]) -> String? {
    synonyms[String(word.drop { $0 == "-" })].map { "--\($0)" }.flatMap { known.contains($0) ? $0 : nil }
  }

  /// The option that was most likely meant; `nil` if no option is similar. A name of at most three letters must be a
  /// prefix of the option, because nearly every option is similar to a short name.
  private func nearest(_ name: String) -> String? {
    let match = nearestMatch(to: name, in: options.map(\.name))
    return match.flatMap { name.count > 3 || $0.hasPrefix(name) ? "--\($0)" : nil }
  }

  private mutating func argument(_ word: String, into result: inout Arguments) throws(OptionError) {
    guard let declaration = arguments.first(where: { $0.repeats || !result.contains($0) }) else {
      throw failure("unexpected argument \(word.quoted())")
    }
    result.append(try value(word, of: declaration), for: declaration)
  }

  private func value(_ text: String, of declaration: Declaration) throws(OptionError) -> any Sendable {
    if let value = declaration.parse(text) { return value }
    let subject = declaration.isArgument ? declaration.placeholder : "--\(declaration.name)"
    if case .words(let words) = declaration.completion {
      // `words` are the values that a shell completes. If other values are accepted too, the error describes them all.
      let isAll = declaration.expectation.hasSuffix(words.joined(separator: ", "))
      let end = isAll ? suggestion(for: text, in: words) : "; expected \(declaration.expectation)"
      throw failure("unknown \(subject) \(text.quoted())\(end)")
    }
    throw failure("\(subject): \(text.quoted()) is not \(declaration.expectation)")
  }

  private func failure(_ message: String) -> OptionError { OptionError(message) }
}
