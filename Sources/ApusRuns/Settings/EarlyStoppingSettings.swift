import Apus
import ApusSystem

/// The value of `--early-stop`, such as `loss:patience=5,change=0.001`.
public struct EarlyStoppingSettings: Hashable, Sendable {
  /// The measure that decides whether the run stops.
  public var measure: EarlyStopping.Measure
  /// The number of epochs without improvement after which the run stops; `nil` for no such limit.
  public var patience: Int?
  /// A value counts as an improvement if it is better than the best value so far by more than `change`; `nil` for 0.
  public var change: Double?
  /// The value of the measure at which the run stops; `nil` for none.
  public var target: Double?

  /// The value of `--early-stop` that ends early stopping in a resumed run.
  private static let none = "none"

  fileprivate enum Key: String, CaseIterable { case patience, change, target }

  /// Parses a value other than `none`.
  package init(parsing text: String) throws(OptionError) {
    func failure(_ message: String) -> OptionError {
      OptionError("--early-stop \(text.printable(limit: 200)): \(message)")
    }
    let parts = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
    guard let measure = EarlyStopping.Measure(rawValue: parts[0]) else {
      let known = EarlyStopping.Measure.allCases.map(\.rawValue)
      throw failure("unknown measure \(parts[0].quoted())\(suggestion(for: parts[0], in: known))")
    }
    self.measure = measure
    let keys: [Key] = measure == .gradientNorm ? [.target] : Key.allCases
    let pairs = parts.count > 1 ? parts[1].split(separator: ",", omittingEmptySubsequences: false) : []
    for pair in pairs {
      let words = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
      guard let key = Key(rawValue: words[0]), keys.contains(key) else {
        throw failure(
          "\(measure.rawValue) has no key \(words[0].quoted())\(suggestion(for: words[0], in: keys.map(\.rawValue)))")
      }
      guard words.count == 2 else { throw failure("\(key.rawValue) needs a value: \(key.rawValue)=\(key.placeholder)") }
      try set(key, to: words[1], failure)
    }
    guard patience != nil || target != nil else {
      let form = keys.contains(.patience) ? "patience=N or target=X, as in \(measure.rawValue):patience=5" : "target=X"
      throw failure("it needs \(form)")
    }
    guard change == nil || patience != nil else { throw failure("change=X needs patience=N") }
  }

  /// The settings for a value of `--early-stop`; `nil` for `none`.
  package static func chosen(by text: String) throws(OptionError) -> EarlyStoppingSettings? {
    text == none ? nil : try EarlyStoppingSettings(parsing: text)
  }

  private mutating func set(
    _ key: Key, to text: String, _ failure: (String) -> OptionError
  ) throws(OptionError) {
    func parsed<Value>(_ known: Value?, _ kind: ValueKind<Value>) throws(OptionError) -> Value {
      guard known == nil else { throw failure("\(key.rawValue) is given twice") }
      guard let value = kind.parse(text) else {
        throw failure("\(key.rawValue): \(text.quoted()) is not \(kind.expectation)")
      }
      return value
    }
    switch key {
    case .patience: patience = try parsed(patience, .count)
    case .change: change = try parsed(change, .nonNegativeNumber)
    case .target: target = try parsed(target, .finiteNumber)
    }
  }

  /// The observer that stops the run.
  var observer: EarlyStopping {
    EarlyStopping(measure, patience: patience, change: change ?? 0, target: target)
  }
}

extension EarlyStoppingSettings.Key {
  /// How the value is written in messages.
  fileprivate var placeholder: String { self == .patience ? "N" : "X" }
}

extension EarlyStoppingSettings: CustomStringConvertible {
  /// The value of `--early-stop` that `init(parsing:)` parses to these settings.
  public var description: String {
    let pairs = [
      patience.map { "patience=\($0)" }, change.map { "change=\($0)" }, target.map { "target=\($0)" },
    ]
    return "\(measure.rawValue):" + pairs.compactMap(\.self).joined(separator: ",")
  }
}

extension ValueKind<Double> {
  fileprivate static let finiteNumber = ValueKind("X", expectation: "a number") { text in
    Double(text).flatMap { $0.isFinite ? $0 : nil }
  }
}
