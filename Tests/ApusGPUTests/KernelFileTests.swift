import Foundation
import Testing

@testable import ApusGPU

/// The files of `Kernels/`: all of them are embedded, and templates name their parameters.
@Suite struct KernelFileTests {
  private static let folder = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent().appending(path: "Kernels")

  /// The paths of all files that are kernel source or tables, relative to the folder, without those in `include/`.
  private static let files: [String] = {
    let names = FileManager.default.enumerator(atPath: folder.path)?.compactMap { $0 as? String } ?? []
    return names.filter { name in
      [".cl", ".def", ".h", ".txt"].contains { name.hasSuffix($0) } && !name.hasPrefix("include/")
    }.sorted()
  }()

  @Test func everyFileIsEmbeddedUnderItsName() throws {
    let list = try String(contentsOf: Self.folder.appending(path: "kernels.c"), encoding: .utf8)
    let entries = list.matches(of: /\{"([^"]+)", \(const char\[\]\)\{\s*#embed "([^"]+)"/)
    #expect(entries.allSatisfy { $0.1 == $0.2 }, "a file is embedded under another name")
    #expect(entries.map { String($0.1) }.sorted() == Self.files && Self.files.count > 80)
    for name in Self.files {
      let text = try String(contentsOf: Self.folder.appending(path: name), encoding: .utf8)
      #expect(KernelPrelude.file(name) == text, "\(name)")
    }
  }

  /// The comment at the top of a template lists the template's parameters in alphabetical order. The list is a line
  /// `Parameters: $a, $b.`, which may continue on the next lines. The lowering fills in the parameters.
  @Test(arguments: files.filter { $0.hasSuffix(".cl") }) func templatesNameTheirParameters(file: String) throws {
    let text = try String(contentsOf: Self.folder.appending(path: file), encoding: .utf8)
    let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
    let head = lines.prefix { $0.hasPrefix("//") }
    let body = lines.dropFirst(head.count).filter { !$0.hasPrefix("//") }.joined(separator: "\n")
    let used = Set(body.matches(of: /\$([A-Za-z0-9]+)/).map { String($0.1) })
    let start = head.firstIndex { $0.hasPrefix("// Parameters:") } ?? head.endIndex
    let named = head[start...].joined(separator: " ").matches(of: /\$([A-Za-z0-9]+)/).map { String($0.1) }
    #expect(named == used.sorted(), "\(file)")
  }
}
