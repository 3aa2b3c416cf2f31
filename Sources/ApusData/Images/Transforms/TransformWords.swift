import ApusSystem

/// The words of one step of an image pipeline, such as `crop 224 pad 4 reflect`. The transform that the first word
/// names (`crop`) parses the other words. Each method removes the words that it parses, so "the beginning" is the first
/// word that is left.
public struct TransformWords {
  /// The text of the step.
  public let text: String
  private var words: [String]
  private var known: [String] = []

  /// - Parameter words: the words after the name of the transform
  init(_ text: String, _ words: [String]) {
    self.text = text
    self.words = words
  }

  /// Parses the size at the beginning, if present: `224`, `224x320`.
  mutating func size() throws(DataError) -> ImageSize? {
    guard let first = words.first, first.first?.isNumber == true else { return nil }
    guard let size = ImageSize(first) else {
      throw failure(first, "\(first.quoted()) is not a size such as 224 or 224x320, of at most 16384")
    }
    guard size.height * size.width <= ImageLimits.default.pixels else {
      throw .tooLarge(
        source: text,
        reason: "\(size.height)x\(size.width) is more than the limit of \(ImageLimits.default.pixels) pixels",
        remedy: "use a smaller size")
    }
    words.removeFirst()
    return size
  }

  /// Parses the size at the beginning.
  mutating func requiredSize() throws(DataError) -> ImageSize {
    if let size = try size() { return size }
    throw failure(words.first ?? "", "a size is missing, such as 224 or 224x320")
  }

  /// Parses the number at the beginning, if present.
  mutating func number(in range: ClosedRange<Double>) throws(DataError) -> Double? {
    guard let first = words.first, Double(first) != nil else { return nil }
    return try number(at: 0, in: range)
  }

  /// Parses the number at the beginning.
  mutating func requiredNumber(in range: ClosedRange<Double>) throws(DataError) -> Double {
    try number(at: 0, in: range)
  }

  /// Parses the whole number at the beginning.
  mutating func requiredNumber(in range: ClosedRange<Int>) throws(DataError) -> Int {
    guard let first = words.first, let number = Int(first) else {
      throw failure(words.first ?? "", "a whole number is missing")
    }
    guard range.contains(number) else {
      throw failure(first, "\(number) is not in \(range.lowerBound) ... \(range.upperBound)")
    }
    words.removeFirst()
    return number
  }

  /// Parses one or more whole numbers at the beginning.
  mutating func wholeNumbers(in range: ClosedRange<Int>) throws(DataError) -> [Int] {
    var numbers = [try requiredNumber(in: range)]
    while let first = words.first, Int(first) != nil { numbers.append(try requiredNumber(in: range)) }
    return numbers
  }

  /// Removes a word, and returns whether it was present.
  mutating func take(_ word: String) -> Bool {
    known.append(word)
    guard let index = words.firstIndex(of: word) else { return false }
    words.remove(at: index)
    return true
  }

  /// Parses the number after a word, if the word is present.
  mutating func number(after word: String, in range: ClosedRange<Double>) throws(DataError) -> Double? {
    known.append(word)
    guard let index = words.firstIndex(of: word) else { return nil }
    words.remove(at: index)
    return try number(at: index, in: range)
  }

  /// Parses the whole number after a word, if the word is present.
  mutating func wholeNumber(after word: String, in range: ClosedRange<Int>) throws(DataError) -> Int? {
    let bounds = Double(range.lowerBound)...Double(range.upperBound)
    guard let number = try number(after: word, in: bounds) else { return nil }
    guard number == number.rounded() else { throw failure(word, "\(word) needs a whole number") }
    return Int(number)
  }

  /// If a word is present, parses the two numbers after the word; the second must not be below the first.
  mutating func range(after word: String, in range: ClosedRange<Double>) throws(DataError) -> ClosedRange<Double>? {
    guard let lower = try number(after: word, in: range) else { return nil }
    // The first number has been removed, so the second number is now at the index that the first had.
    let index = positionBehindLast
    let upper = try number(at: index, in: range)
    guard lower <= upper else { throw failure(word, "\(word) needs the smaller number first") }
    return lower...upper
  }

  /// Throws when words remain.
  func finish() throws(DataError) {
    guard let word = words.first else { return }
    let isNumber = Double(word) != nil
    throw failure(
      word,
      isNumber ? "unexpected number \(word)" : "unknown word \(word.quoted())" + suggestion(for: word, in: known)
    )
  }

  private var positionBehindLast = 0

  private mutating func number(at index: Int, in range: ClosedRange<Double>) throws(DataError) -> Double {
    let word = index < words.count ? words[index] : ""
    guard let number = Double(word), number.isFinite else {
      throw failure(
        word, word.isEmpty ? "a number is missing at the end" : "\(word.quoted()) is not a number")
    }
    guard range.contains(number) else {
      throw failure(word, "\(number.short) is not in \(range.lowerBound.short) ... \(range.upperBound.short)")
    }
    words.remove(at: index)
    positionBehindLast = index
    return number
  }

  private func failure(_ word: String, _ reason: String) -> DataError {
    .specification(text: text, word: word, reason: reason)
  }
}

extension Double {
  /// The shortest text that parses to the same value: `4`, `0.25`.
  var short: String { self == rounded() && magnitude < 1e15 ? String(Int(self)) : String(self) }
}
