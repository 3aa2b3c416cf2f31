import Foundation
import Testing

/// What the README says is what the tree does.
@Suite struct ReadmeTests {
  private let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent()

  private func text(_ path: String) throws -> String {
    try String(contentsOf: root.appending(path: path), encoding: .utf8)
  }

  /// The lines without their indentation and empty ones.
  private func lines(_ text: some StringProtocol) -> [String] {
    text.split(separator: "\n").map { $0.trimmingCharacters(in: .whitespaces) }.filter { !$0.isEmpty }
  }

  @Test func everySwiftExampleIsCompiledAndRun() throws {
    let blocks = try text("README.md").components(separatedBy: "```swift\n").dropFirst().map {
      lines($0.components(separatedBy: "```")[0])
    }
    let examples = try text("Tests/ApusTests/ReadmeExamples.swift").components(separatedBy: "// example\n")
      .dropFirst().map { lines($0.components(separatedBy: "// end")[0]) }
    #expect(blocks.count == 11)
    for block in blocks { #expect(examples.contains(block), "not in ReadmeExamples.swift: \(block)") }
  }

  @Test func everyFolderOfTheContributingTableIsThere() throws {
    let contributing = try text("CONTRIBUTING.md")
    let sources = try FileManager.default.contentsOfDirectory(atPath: root.appending(path: "Sources").path)
    let swiftModules = sources.filter { $0.hasPrefix("Apus") && $0 != "Apus" }
    #expect(swiftModules.count >= 8)
    for module in swiftModules {
      #expect(contributing.contains("Sources/\(module)"), "\(module) is not in CONTRIBUTING.md")
    }
  }
}
