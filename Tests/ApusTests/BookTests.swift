import Foundation
import Testing

/// README.md, CONTRIBUTING.md, the files of `Documentation`, the pages of the DocC catalogs and the examples in
/// comments agree with the sources and the tests.
@Suite struct BookTests {
  private static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent()

  /// The sorted paths of the files of `folder` whose names end in `ending`.
  private static func files(in folder: String, ending: String) throws -> [String] {
    try FileManager.default.contentsOfDirectory(atPath: root.appending(path: folder).path)
      .filter { $0.hasSuffix(ending) }.sorted().map { "\(folder)/\($0)" }
  }

  private static func book() throws -> [String] { try ["README.md"] + files(in: "Documentation", ending: ".md") }

  /// The pages of the DocC catalogs in `Sources`.
  private static func catalogPages() -> [String] {
    let entries = FileManager.default.enumerator(atPath: root.appending(path: "Sources").path)
    let paths = entries?.compactMap { $0 as? String } ?? []
    return paths.filter { $0.contains(".docc/") && $0.hasSuffix(".md") }.sorted().map { "Sources/\($0)" }
  }

  private func text(_ path: String) throws -> String {
    try String(contentsOf: Self.root.appending(path: path), encoding: .utf8)
  }

  /// The lines without their indentation; empty lines are left out.
  private func lines(_ text: some StringProtocol) -> [String] {
    text.split(separator: "\n").map { $0.trimmingCharacters(in: .whitespaces) }.filter { !$0.isEmpty }
  }

  /// For each `start` in a file, the lines from there to the next `end`.
  private func fragments(_ path: String, from start: String, to end: String) throws -> [[String]] {
    try text(path).components(separatedBy: start).dropFirst().map { lines($0.components(separatedBy: end)[0]) }
  }

  // MARK: - Examples

  @Test func everySwiftExampleIsCompiledAndRun() throws {
    let tests =
      try Self.files(in: "Tests/ApusTests/Documentation", ending: ".swift") + ["Tests/ApusTests/ReadmeExamples.swift"]
    var (compiled, shown) = (Set<[String]>(), Set<[String]>())
    for path in tests {
      let examples = try fragments(path, from: "// example\n", to: "// end")
      #expect(!examples.isEmpty, "\(path) has no examples")
      compiled.formUnion(examples)
    }
    let pages = Self.catalogPages()
    #expect(pages.count >= 7)
    for path in try Self.book() + ["CONTRIBUTING.md"] + pages {
      shown.formUnion(try fragments(path, from: "```swift\n", to: "```"))
    }
    #expect(shown.count >= 20)
    let blocks = try commentBlocks()
    for block in blocks where block.language != "swift" && block.language != "text" {
      Issue.record("\(block.path): an example in a comment is neither swift nor text")
    }
    let examples = blocks.filter { $0.language == "swift" }.map(\.lines)
    #expect(examples.count >= 20)
    shown.formUnion(examples)
    for example in shown.subtracting(compiled) where try !isQuoted(example) {
      Issue.record("no test has the example \(example)")
    }
    for example in compiled.subtracting(shown) { Issue.record("no page or comment shows the example \(example)") }
  }

  /// Whether all lines are in one of the two source files from which CONTRIBUTING.md quotes an operation.
  private func isQuoted(_ example: [String]) throws -> Bool {
    let files = ["Sources/ApusTensor/Ops/Elementwise.swift", "Tests/ApusTestSupport/Cases/RowFunctions.swift"]
    return try files.contains { try Set(lines(text($0))).isSuperset(of: example) }
  }

  @Test func pythonExamplesAreValid() throws {
    var count = 0
    for path in try Self.book() {
      for block in try text(path).components(separatedBy: "```python\n").dropFirst() {
        let process = Process()
        process.executableURL = URL(filePath: "/usr/bin/env")
        process.arguments = [
          "python3", "-c", "import ast, sys; ast.parse(sys.argv[1])", block.components(separatedBy: "```")[0],
        ]
        try process.run()
        process.waitUntilExit()
        #expect(process.terminationStatus == 0, "\(path) has Python that does not parse")
        count += 1
      }
    }
    #expect(count > 0)
  }

  /// `Documentation/Command.md` has each environment variable that the sources read.
  @Test func environmentVariablesAreListed() throws {
    let table = try fragments("Documentation/Command.md", from: "## Environment variables\n", to: "\n## ")[0]
    let listed = Set(table.joined().matches(of: /`([A-Z_]+)/).map { String($0.1) })
    let sources = FileManager.default.enumerator(atPath: Self.root.appending(path: "Sources").path)
    var read: Set<String> = []
    for case let path as String in try #require(sources) where path.hasSuffix(".swift") {
      read.formUnion(
        try text("Sources/\(path)").matches(of: /(?:Environment\[|folders\()"([A-Z_]+)"/).map { String($0.1) })
    }
    #expect(read.count > 10 && read.subtracting(listed).isEmpty, "\(read.subtracting(listed))")
  }

  /// CONTRIBUTING.md has the list of backends.
  @Test func theBackendsAreListed() throws {
    let list = try #require(try text("Sources/ApusBackends/Backends.swift").firstMatch(of: /\[(\.cpu[^\]]*)\]/))
    #expect(try text("CONTRIBUTING.md").contains("`\(list.0)`"), "\(list.0)")
  }

  /// The row that CONTRIBUTING.md shows is in the table.
  @Test func theQuotedRowIsInTheTable() throws {
    let rows = try fragments("CONTRIBUTING.md", from: "```c\n", to: "```").flatMap { $0 }
    #expect(rows.count == 1)
    #expect(try Set(lines(text("Kernels/elementwise.def"))).isSuperset(of: rows))
  }

  /// The code blocks in the documentation comments of `Sources`.
  private func commentBlocks() throws -> [(path: String, language: String, lines: [String])] {
    var blocks: [(path: String, language: String, lines: [String])] = []
    let sources = Self.root.appending(path: "Sources")
    for case let path as String in FileManager.default.enumerator(atPath: sources.path) ?? .init()
    where path.hasSuffix(".swift") {
      var isInside = false
      for line in try text("Sources/\(path)").split(separator: "\n") {
        let words = line.drop { $0 == " " }
        guard words.hasPrefix("///") else { continue }
        let comment = words.dropFirst(3).trimmingCharacters(in: .whitespaces)
        if comment.hasPrefix("```") {
          isInside.toggle()
          if isInside { blocks.append((path, String(comment.dropFirst(3)), [])) }
        } else if isInside, !comment.isEmpty {
          blocks[blocks.count - 1].lines.append(comment)
        }
      }
    }
    return blocks
  }

  // MARK: - Links

  @Test func everyLinkLeadsToAFileAndAHeading() throws {
    var count = 0
    for path in try Self.book() + ["CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md"] {
      for match in try text(path).matches(of: /\]\(([^)\s]+)\)/) {
        let link = String(match.output.1)
        if link.hasPrefix("http") { continue }
        count += 1
        let parts = link.split(separator: "#", omittingEmptySubsequences: false).map(String.init)
        let folder = path.contains("/") ? "Documentation/" : ""
        let target = parts[0].isEmpty ? path : folder + parts[0]
        guard FileManager.default.fileExists(atPath: Self.root.appending(path: target).path) else {
          Issue.record("\(path): \(link) leads to no file")
          continue
        }
        guard parts.count > 1 else { continue }
        #expect(try anchors(target).contains(parts[1]), "\(path): \(link) leads to no heading")
      }
    }
    #expect(count > 40)
  }

  /// The anchors of a file's headings.
  private func anchors(_ path: String) throws -> Set<String> {
    let headings = try text(path).split(separator: "\n").filter { $0.hasPrefix("#") }
    return Set(
      headings.map { heading in
        heading.drop { $0 == "#" || $0 == " " }.lowercased()
          .filter { $0.isLetter || $0.isNumber || $0 == " " || $0 == "-" }.replacing(" ", with: "-")
      })
  }

  @Test func theTableOfContentsHasEveryChapter() throws {
    let contents = try text("Documentation/README.md")
    for path in try Self.book() where path != "README.md" && path != "Documentation/README.md" {
      let name = path.split(separator: "/")[1]
      #expect(contents.contains("](\(name))"), "\(name) is not in Documentation/README.md")
    }
  }

  // MARK: - README and CONTRIBUTING

  /// `.ci/run` takes its test command from README.md: the first line that contains `swift test`.
  @Test func theReadmeHasTheTestCommand() throws {
    let readme = try text("README.md").components(separatedBy: "\n")
    let line = readme.first { $0.contains("swift test ") }
    #expect(line == ".ci/setup && swift test -c release --disable-xctest --scratch-path .build-tests")
    #expect(readme.count <= 151)
  }

  @Test func everyModuleIsInContributing() throws {
    let contributing = try text("CONTRIBUTING.md")
    let sources = try FileManager.default.contentsOfDirectory(atPath: Self.root.appending(path: "Sources").path)
    let swiftModules = sources.filter { $0.hasPrefix("Apus") && $0 != "Apus" }
    #expect(swiftModules.count >= 8)
    for module in swiftModules {
      #expect(contributing.contains("Sources/\(module)"), "\(module) is not in CONTRIBUTING.md")
    }
  }
}
