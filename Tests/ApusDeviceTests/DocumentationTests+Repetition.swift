import Testing

extension DocumentationTests {
  /// A comment says what the declaration does not: a unit, a range, a shape, a default, the meaning of `nil`.
  @Test func commentsDoNotRepeatTheCode() throws {
    var count = 0
    for file in try sources(["Sources", "Benchmarks", "Examples", "Tests/ApusTestSupport"], [".swift"]) {
      let comments = file.comments
      count += comments.count
      for comment in comments where comment.repeatsTheCode {
        Issue.record("\(file.path):\(comment.line): \"\(comment.text)\" only repeats the declaration")
      }
    }
    #expect(count > 5000)
  }

  @Test func repetitionsAreFound() {
    let text = """
      /// The boxes.
      var boxes: [Box]
      /// The boxes, from the largest to the smallest.
      var sorted: [Box]
      /// Moves the box to the edges of its shelf.
      /// - Parameters:
      ///   - box: The box, a
      ///     `LargeBox`.
      ///   - shelf: the shelf; `nil` for the floor.
      ///   - count: the count
      /// - Returns: the box
      @discardableResult
      func moves(
        _ box: LargeBox, to edge: Edge, of shelf: Shelf? = nil, count: Int = 1
      ) -> Box { shelf }
        /// - Parameter boxes: the boxes of the file at this path.
        /// - Throws: the error
        init(_ boxes: [FileBox], path: String)
      /// `width = count`
      var width: Int { count }
      /// The size of the box and of its lid.
      let box = size(lid)
      """
    let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
    let found = Source(path: "Sources/X/a.swift", lines: lines).comments.filter(\.repeatsTheCode)
    #expect(found.map(\.line) == [1, 5, 7, 10])
    #expect(found.map(\.text)[2] == "The box, a `LargeBox`.")
  }
}

/// The description in a documentation comment, or its text about one parameter.
struct DocumentationText {
  /// The line on which the text begins, counted from 1.
  let line: Int
  var text: String
  /// The code that the text describes: a declaration, or one of its parameters.
  let code: String

  private static let fillers: Set<String> = [
    "a", "an", "the", "of", "to", "its", "it", "their", "this", "that", "these", "those", "which", "in", "on", "at",
    "for", "by", "with", "from", "and", "or", "as", "is", "are", "be", "was", "were", "has", "have", "here", "each",
    "every", "any", "all", "some", "whether", "one",
  ]

  /// Whether all words of the text, except articles, prepositions and the like, occur in the code. A text with a
  /// formula does not count as a repetition.
  var repeatsTheCode: Bool {
    guard !text.isEmpty, !text.contains(where: { "=<·+".contains($0) }) else { return false }
    let words = DocumentationText.words(text).subtracting(DocumentationText.fillers)
    let known = DocumentationText.words(code).map(DocumentationText.singular)
    return Set(words.map(DocumentationText.singular)).isSubset(of: known)
  }

  /// The words, in lower case; names such as `FilePath` are several words.
  private static func words(_ text: String) -> Set<String> {
    let characters = Array(text)
    var words = [""]
    for (index, character) in characters.enumerated() {
      let isLetter = character.isLetter || character.isNumber
      let isAfterCapital = index > 0 && characters[index - 1].isUppercase
      let isBeforeSmall = index + 1 < characters.count && characters[index + 1].isLowercase
      if !isLetter || character.isUppercase && (!isAfterCapital || isBeforeSmall) { words.append("") }
      if isLetter { words[words.count - 1] += character.lowercased() }
    }
    return Set(words.filter { !$0.isEmpty })
  }

  private static func singular(_ word: String) -> String {
    if word.count > 4, word.hasSuffix("ies") { return word.dropLast(3) + "y" }
    let isLong = ["ses", "xes", "ches", "shes"].contains { word.hasSuffix($0) }
    if word.count > 3, isLong { return String(word.dropLast(2)) }
    return word.count > 3 && word.hasSuffix("s") && !word.hasSuffix("ss") ? String(word.dropLast()) : word
  }
}

extension Source {
  /// The texts of all documentation comments: each description, and each text about a parameter.
  var comments: [DocumentationText] {
    var comments: [DocumentationText] = []
    var start: Int?
    for (line, text) in lines.enumerated() {
      if text.trimmingPrefix(while: \.isWhitespace).hasPrefix("///") {
        start = start ?? line
      } else if let first = start {
        comments += parts(of: first..<line, declaration(at: line)).filter { !$0.text.isEmpty }
        start = nil
      }
    }
    return comments
  }

  private func parts(of block: Range<Int>, _ code: String) -> [DocumentationText] {
    let sections = [
      "Parameters", "Return", "Returns", "Throws", "Precondition", "Postcondition", "Note", "Complexity", "Warning",
      "Important", "SeeAlso",
    ]
    var parts = [DocumentationText(line: block.lowerBound + 1, text: "", code: code)]
    // In a section such as `Returns`, the text is skipped.
    var (isSkipped, isList) = (false, false)
    for line in block {
      let text = lines[line].trimmingPrefix(while: \.isWhitespace).dropFirst(3).trimmingPrefix(while: \.isWhitespace)
      let head = text.hasPrefix("- ") ? String(text.dropFirst(2).prefix { $0.isLetter }) : ""
      if sections.contains(head) {
        (isSkipped, isList) = (true, head == "Parameters")
      } else if let match = text.wholeMatch(of: /- (Parameter )?(\w+): (.*)/), isList || match.1 != nil {
        let name = String(match.2)
        parts.append(DocumentationText(line: line + 1, text: String(match.3), code: Source.parameter(name, of: code)))
        (isSkipped, isList) = (false, isList && match.1 == nil)
      } else if !isSkipped, !text.isEmpty {
        let last = parts.count - 1
        parts[last].text += (parts[last].text.isEmpty ? "" : " ") + text
      }
    }
    return parts
  }

  /// The declaration at a line, or below it if attributes come first. The body or the value is left out.
  private func declaration(at line: Int) -> String {
    var (code, depth) = ("", 0)
    for text in lines[line...] {
      let words = text.split { !$0.isLetter }.map(String.init)
      let isAttribute = text.trimmingPrefix(while: \.isWhitespace).hasPrefix("@")
      if code.isEmpty, isAttribute, words.allSatisfy({ !Source.keywords.contains($0) }) { continue }
      for (character, next) in zip(text + " ", text.dropFirst() + "  ") {
        if "([".contains(character) { depth += 1 }
        if ")]".contains(character) { depth -= 1 }
        if depth == 0, character == "{" || character == "=" && next == " " { return code }
        code.append(character)
      }
      if depth <= 0 { return code }
    }
    return code
  }

  /// A parameter of a declaration: its labels, type and default.
  private static func parameter(_ name: String, of code: String) -> String {
    guard let start = code.firstIndex(of: "(") else { return name }
    var (depth, parts) = (0, [""])
    // The arrow of a function type is not a bracket.
    for character in code[start...].split(separator: "->").joined(separator: " ") {
      if "([{<".contains(character) { depth += 1 }
      if ")]}>".contains(character) { depth -= 1 }
      if depth == 0 { break }
      if depth == 1, character == "," { parts.append("") } else { parts[parts.count - 1].append(character) }
    }
    let own = parts.filter { part in
      part.prefix { $0 != ":" }.split { !$0.isLetter && !$0.isNumber && $0 != "_" }.contains { $0 == name }
    }
    return ([name] + own).joined(separator: " ")
  }
}
