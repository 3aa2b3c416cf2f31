/// The kind of value of an option or argument: its name in help, the accepted values, and the completions in a shell.
package struct ValueKind<Value: Sendable>: Sendable {
  /// The placeholder in help: `N`, `FILE`, …
  package let placeholder: String
  /// A description of the accepted values, such as `an integer from 1 to 9`. It ends the sentence "VALUE is not …".
  package let expectation: String
  package let completion: Completion
  /// Parses text; `nil` if it is not accepted.
  package let parse: @Sendable (String) -> Value?

  package init(
    _ placeholder: String, expectation: String, completion: Completion = .none,
    parse: @escaping @Sendable (String) -> Value?
  ) {
    self.placeholder = placeholder
    self.expectation = expectation
    self.completion = completion
    self.parse = parse
  }
}

/// The completions that a shell offers for a value.
package enum Completion: Sendable {
  case none
  case files
  case folders
  /// One of a few words.
  case words([String])
}

extension ValueKind<Int> {
  /// A count. The limit prevents overflows in later multiplications.
  package static func nonNegativeCount(upTo limit: Int) -> ValueKind {
    ValueKind("N", expectation: "an integer from 0 to \(limit)") { text in
      Int(text).flatMap { 0...limit ~= $0 ? $0 : nil }
    }
  }

  package static func count(upTo limit: Int) -> ValueKind {
    ValueKind("N", expectation: "an integer from 1 to \(limit)") { text in
      Int(text).flatMap { 1...limit ~= $0 ? $0 : nil }
    }
  }

  package static let count = count(upTo: 1_000_000_000)

  /// One of several integers.
  package static func choice(_ placeholder: String, of values: [Int]) -> ValueKind {
    let words = values.map(String.init)
    return ValueKind(
      placeholder, expectation: "one of " + words.joined(separator: ", "), completion: .words(words)
    ) { words.contains($0) ? Int($0) : nil }
  }
}

extension ValueKind<UInt64> {
  package static let seed = ValueKind("N", expectation: "an integer from 0 to \(Int64.max)") { text in
    // The type `JSON`, in which runs store seeds, has signed 64-bit integers.
    Int64(text).flatMap { UInt64(exactly: $0) }
  }
}

extension ValueKind<Double> {
  package static let positiveNumber = ValueKind("X", expectation: "a number above 0") { text in
    Double(text).flatMap { $0 > 0 && $0.isFinite ? $0 : nil }
  }

  package static let nonNegativeNumber = ValueKind("X", expectation: "a number of 0 or more") { text in
    Double(text).flatMap { $0 >= 0 && $0.isFinite ? $0 : nil }
  }

  package static let probability = ValueKind("X", expectation: "a number above 0, at most 1") { text in
    Double(text).flatMap { 0 < $0 && $0 <= 1 ? $0 : nil }
  }

  /// A fraction below 1.
  package static let share = ValueKind("X", expectation: "a number from 0 to below 1") { text in
    Double(text).flatMap { 0 <= $0 && $0 < 1 ? $0 : nil }
  }
}

extension ValueKind<String> {
  package static func text(_ placeholder: String) -> ValueKind {
    ValueKind(placeholder, expectation: "a text that is not empty") { $0.isEmpty ? nil : $0 }
  }

  /// Any text, including the empty one.
  package static let anyText = ValueKind("TEXT", expectation: "a text") { $0 }

  package static let file = ValueKind("FILE", expectation: "a file name", completion: .files) {
    $0.isEmpty ? nil : $0
  }

  package static let folder = ValueKind("DIR", expectation: "a folder", completion: .folders) {
    $0.isEmpty ? nil : $0
  }

  /// One of several words.
  package static func choice(_ placeholder: String, of words: [String]) -> ValueKind {
    ValueKind(
      placeholder, expectation: "one of " + words.joined(separator: ", "), completion: .words(words)
    ) { words.contains($0) ? $0 : nil }
  }
}

extension ValueKind where Value: RawRepresentable<String> {
  /// One of the cases of an enumeration, by its raw value.
  package static func choice(_ placeholder: String, of cases: [Value]) -> ValueKind {
    let words = cases.map(\.rawValue)
    return ValueKind(
      placeholder, expectation: "one of " + words.joined(separator: ", "), completion: .words(words)
    ) { text in words.contains(text) ? Value(rawValue: text) : nil }
  }
}

extension ValueKind<Set<String>> {
  /// Words separated by commas, as a set: repeated words count once.
  package static func set(_ placeholder: String) -> ValueKind {
    let list = ValueKind<[String]>.list(placeholder)
    return ValueKind(list.placeholder, expectation: list.expectation) { list.parse($0).map { Set($0) } }
  }
}

extension ValueKind<[String]> {
  /// Words separated by commas.
  package static func list(_ placeholder: String) -> ValueKind {
    ValueKind("\(placeholder)[,…]", expectation: "a list separated by commas") { text in
      let words = text.split(separator: ",", omittingEmptySubsequences: false).map(String.init)
      return words.contains("") ? nil : words
    }
  }
}
