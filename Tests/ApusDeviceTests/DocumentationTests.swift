import Testing

/// Every public declaration has a documentation comment, and no comment only repeats the words of the code.
///
/// Three kinds of declarations need no comment: type aliases, initializers whose parameters are the properties, and
/// members whose name some protocol of the project or of Swift requires. The test does not check that the type of the
/// member conforms to this protocol.
struct DocumentationTests {
  @Test func publicDeclarationsAreDocumented() throws {
    let files = try sources(["Sources"], [".swift"])
    let asked = files.reduce(into: DocumentationTests.known) { $0.formUnion($1.requirements) }
    var count = 0
    for file in files {
      let declarations = file.publicDeclarations
      count += declarations.count
      for declaration in declarations where !file.isDocumented(declaration, asked) {
        Issue.record("\(file.path):\(declaration.line + 1): no /// above \"\(declaration.text)\"")
      }
    }
    #expect(count > 1500)
  }

  /// Members that Swift's protocols require.
  private static let known: Set<String> = [
    "description", "hash", "==", "<", "startIndex", "endIndex", "makeIterator", "next",
  ]

  @Test func undocumentedDeclarationsAreFound() {
    let text = """
      public protocol Shaped {
        /// The extents.
        var shape: [Int] { get }
      }
      /// A box.
      public struct Box: Shaped {
        /// How large it is.
        public let size: Int
        public var depth = 1
        public init(
          _ size: Int, deep depth: Int = 1
        ) {}
        public init(_ weight: Double, of size: (Int) -> Int) {}
        public var shape: [Int] { [size] }
        /// Opens it.
        @discardableResult
        public func open() -> Bool { true }
        public static func make() -> Box { Box(1) }
        public func == (left: Box, right: Box) -> Bool { true }
      }
      public typealias Case = Box
      public final class Lid {}
      """
    let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
    let file = Source(path: "Sources/X/a.swift", lines: lines)
    let asked = file.requirements.union(DocumentationTests.known)
    let missing = file.publicDeclarations.filter { !file.isDocumented($0, asked) }.map(\.text)
    #expect(
      missing == [
        "public protocol Shaped {", "public var depth = 1", "public init(_ weight: Double, of size: (Int) -> Int) {}",
        "public static func make() -> Box { Box(1) }", "public final class Lid {}",
      ])
  }
}

/// A public declaration: its line, its text, its keyword and its name.
struct Declaration {
  var line: Int
  var text: String
  var keyword: String
  var name: String
}

extension Source {
  static let keywords: Set<String> = [
    "func", "var", "let", "init", "subscript", "struct", "class", "enum", "protocol", "typealias", "actor",
  ]

  /// Public declarations, without extensions.
  var publicDeclarations: [Declaration] {
    lines.indices.compactMap { line in
      let text = lines[line].trimmingPrefix(while: \.isWhitespace)
      guard text.hasPrefix("public ") else { return nil }
      // `class` in front of `func` is a modifier.
      let words = text.split { !$0.isLetter && !$0.isNumber && !"=<_".contains($0) }.map(String.init)
      let position = words.firstIndex(where: Source.keywords.contains)
      guard let position, !words[..<position].contains("extension"), !words[..<position].contains("import") else {
        return nil
      }
      let name = position + 1 < words.count ? words[position + 1] : ""
      return Declaration(line: line, text: String(text), keyword: words[position], name: name)
    }
  }

  /// The members that the protocols of this file require.
  var requirements: Set<String> {
    var names: Set<String> = []
    var isInside = false
    for line in lines {
      let words = line.split { !$0.isLetter && !$0.isNumber && $0 != "_" }.map(String.init)
      if line.first?.isWhitespace == false {
        isInside = words.prefix(2).contains("protocol") && line.hasSuffix("{")
      } else if isInside, let position = words.firstIndex(where: ["func", "var"].contains), position + 1 < words.count,
        words[..<position].allSatisfy({ ["static", "mutating"].contains($0) })
      {
        names.insert(words[position + 1])
      }
    }
    return names
  }

  /// Whether a declaration has a documentation comment or needs none.
  func isDocumented(_ declaration: Declaration, _ asked: Set<String>) -> Bool {
    var above = declaration.line - 1
    while above >= 0, lines[above].trimmingPrefix(while: \.isWhitespace).hasPrefix("@") { above -= 1 }
    if above >= 0, lines[above].trimmingPrefix(while: \.isWhitespace).hasPrefix("///") { return true }
    switch declaration.keyword {
    case "typealias": return true
    case "func", "var", "let": return asked.contains(declaration.name)
    case "init": return parameters(of: declaration).allSatisfy { isProperty($0) }
    default: return false
    }
  }

  /// Whether a name is a public property or the argument label of a literal initializer.
  private func isProperty(_ name: String) -> Bool {
    if name.hasSuffix("Literal") { return true }
    return lines.contains { line in
      let words = line.split { !$0.isLetter && !$0.isNumber && $0 != "_" }
      guard line.contains("public"), let position = words.firstIndex(where: { $0 == "var" || $0 == "let" }) else {
        return false
      }
      return position + 1 < words.count && words[position + 1] == name
    }
  }

  /// The parameter names of an initializer: `name` for `label name: Type`, or the label for a literal.
  private func parameters(of declaration: Declaration) -> [String] {
    var (depth, parts) = (0, [""])
    scan: for line in lines[declaration.line...] {
      // The arrow of a function type is not a bracket.
      for character in line.split(separator: "->").joined() {
        if depth == 1, character == "," { parts.append("") }
        if "([{<".contains(character) { depth += 1 }
        if depth == 1 { parts[parts.count - 1].append(character) }
        if ")]}>".contains(character) { depth -= 1 }
        if depth == 0, character == ")" { break scan }
      }
    }
    return parts.compactMap { part in
      let names = part.split(separator: ":")[0].split { !$0.isLetter && !$0.isNumber && $0 != "_" }
      if let label = names.first, label.hasSuffix("Literal") { return String(label) }
      return names.last.map(String.init)
    }
  }
}
