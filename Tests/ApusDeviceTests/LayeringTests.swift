import Foundation
import Testing

/// The modules that each module may import. The table in `Package.swift` lists them for all modules except two, which
/// are listed here.
private let layers: [String: Set<String>] = {
  var layers: [String: Set<String>] = [
    "ApusBenchmarks": ["Apus", "ApusSystem"], "ApusCLI": ["Apus", "ApusRuns", "ApusBenchmarks", "ApusSystem"],
  ]
  let package = (try? String(contentsOf: root.appending(path: "Package.swift"), encoding: .utf8)) ?? ""
  for row in package.split(separator: "\n") {
    guard let match = row.firstMatch(of: /^  \("(\w+)", \[(.*)\]\),$/) else { continue }
    layers[String(match.1)] = Set(match.2.matches(of: /"(\w+)"/).map { String($0.1) })
  }
  return layers
}()

/// Modules of the toolchain that any module may import. Full Foundation is excluded: it would make a static binary 60
/// MB larger.
private let system: Set<String> = ["Swift", "Glibc", "FoundationEssentials", "Synchronization"]

/// A source file of the package.
struct Source {
  let path: String
  let lines: [Substring]

  /// The module of the file: `Sources/<module>/…`, `Benchmarks/<module>/…`.
  var module: String { String(path.split(separator: "/")[1]) }

  /// The modules that the file imports; for `import struct A.B` only `A`.
  var imports: [String] {
    lines.compactMap { line in
      let words = line.split(whereSeparator: \.isWhitespace)
      let keyword = words.firstIndex(of: "import")
      guard let keyword, words[..<keyword].allSatisfy({ isModifier($0) }), keyword + 1 < words.count else {
        return nil
      }
      let kinds: Set<Substring> = ["struct", "class", "enum", "protocol", "func", "var", "let", "typealias"]
      let name = kinds.contains(words[keyword + 1]) ? words[keyword + 2] : words[keyword + 1]
      return name.split(separator: ".").first.map(String.init)
    }
  }

  /// The line ranges of functions and initializers, found by the formatter's indentation. A function ends with the
  /// first line that closes a brace at the indentation of the function's first line. Functions on a single line and
  /// protocol requirements, which have no body, are left out.
  var functions: [Range<Int>] {
    lines.indices.compactMap { start in
      let isHead = lines[start].contains(/^ *(@.*\) )?([a-z@][A-Za-z]* )*(func |init[?(<])/)
      guard isHead, !lines[start].hasSuffix("}") else { return nil }
      let indentation = lines[start].prefix { $0 == " " }
      for end in lines[(start + 1)...].indices {
        let line = lines[end]
        if line == indentation + "}" { return start..<end + 1 }
        // The body, or a parameter list that continues.
        let inside = ["  ", ")", "where", "throws", "{"].contains { line.hasPrefix(indentation + $0) }
        guard inside || line.isEmpty || line.hasPrefix("#") else { return nil }
      }
      return nil
    }
  }

  private func isModifier(_ word: Substring) -> Bool {
    word.hasPrefix("@") || ["public", "package", "internal", "private", "fileprivate"].contains(word)
  }
}

private let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
  .deletingLastPathComponent()

/// The files in these folders whose names have one of these endings.
func sources(_ folders: [String], _ endings: [String]) throws -> [Source] {
  var result: [Source] = []
  for folder in folders {
    let base = root.appending(path: folder)
    let names = FileManager.default.enumerator(atPath: base.path)?.compactMap { $0 as? String } ?? []
    for name in names.sorted() where endings.contains(where: { name.hasSuffix($0) }) {
      let text = try String(contentsOf: base.appending(path: name), encoding: .utf8)
      result.append(
        Source(
          path: "\(folder)/\(name)", lines: text.split(separator: "\n", omittingEmptySubsequences: false)))
    }
    #expect(result.contains { $0.path.hasPrefix(folder + "/") }, "\(folder) has no files to check")
  }
  return result
}

struct LayeringTests {
  @Test func importsFollowTheLayers() throws {
    let files = try sources(["Sources", "Benchmarks"], [".swift"])
    #expect(Set(files.map(\.module)).isSuperset(of: ["ApusDevice", "ApusTensor", "ApusCLI"]))
    var imported: [String: Set<String>] = [:]
    for file in files {
      let allowed = try #require(layers[file.module], "\(file.path): a module without a layer")
      for name in file.imports where !allowed.contains(name) && !system.contains(name) {
        Issue.record("\(file.path): \(file.module) must not import \(name)")
      }
      imported[file.module, default: []].formUnion(file.imports)
    }
    for (module, dependencies) in layers {
      let unused = dependencies.subtracting(imported[module, default: []])
      for name in unused.sorted() { Issue.record("no file of \(module) imports \(name), a dependency of the module") }
    }
  }

  /// The imports that `layers` allows have no cycles, and their names are modules or C targets.
  @Test func layersHaveAnOrder() {
    var placed: Set<String> = [
      "ApusCSIMD", "COpenBLAS", "Kernels", "COpenCL", "CCUDA", "CSHA256", "CZlib", "CPNG", "CTurboJPEG",
    ]
    var remaining = Set(layers.keys)
    while let next = remaining.first(where: { layers[$0]!.isSubset(of: placed) }) {
      placed.insert(next)
      remaining.remove(next)
    }
    #expect(remaining.isEmpty, "these modules import each other or an unknown module: \(remaining.sorted())")
  }

  /// The linker resolves a function that one module declares and another defines, both with `@_silgen_name`. The
  /// compiler does not check that the two declarations have the same type; this test does.
  @Test func linkedFunctionsHaveOneType() throws {
    var types: [String: [String]] = [:]
    for file in try sources(["Sources"], [".swift"]) {
      for (line, next) in zip(file.lines, file.lines.dropFirst()) {
        guard let symbol = line.firstMatch(of: /^@_silgen_name\("(\w+)"\)$/) else { continue }
        let type = next.firstMatch(of: /func \w+(\(.*\) -> [^{]*[^{ ])/)
        types[String(symbol.1), default: []].append(type.map { String($0.1) } ?? "unreadable: \(next)")
      }
    }
    #expect(types == ["apus_backends": ["() -> [Backend]", "() -> [Backend]"]])
  }

  /// Only the CPU and GPU devices use functions and types of a vendor's library.
  @Test func vendorSymbolsStayInTheirModule() throws {
    let prefixes = [
      "cl_", "CL_", "clEnqueue", "clCreate", "clGet", "cuLaunch", "cuMem", "cuCtx", "cuStream", "cuEvent", "cuModule",
      "cuDevice", "CU_", "CUDA_", "ccuda_", "nvrtc", "cblas_",
    ]
    let owners: Set<String> = ["ApusGPU", "ApusCPU", "COpenCL", "CCUDA", "COpenBLAS", "ApusCSIMD"]
    for file in try sources(["Sources", "Benchmarks"], [".swift"]) where !owners.contains(file.module) {
      for (number, line) in file.lines.enumerated() {
        // String literals may mention a vendor: in messages and options.
        let code = line.split(separator: "\"", omittingEmptySubsequences: false).enumerated()
          .filter { $0.offset % 2 == 0 }.map(\.element).joined(separator: " ")
        let words = code.split { !$0.isLetter && !$0.isNumber && $0 != "_" }
        guard !code.trimmingPrefix(while: \.isWhitespace).hasPrefix("//") else { continue }
        for word in words where prefixes.contains(where: { word.hasPrefix($0) }) {
          Issue.record("\(file.path):\(number + 1): \(word) is a vendor's symbol")
        }
      }
    }
  }

  @Test func filesAreNotTooLong() throws {
    for file in try sources(["Sources", "Benchmarks", "Tests"], [".swift", ".c", ".h", ".cpp"])
    where file.lines.count > 501 {
      Issue.record("\(file.path): \(file.lines.count - 1) lines, the limit is 500")
    }
    for file in try sources(["Kernels"], [".cl", ".h"]) where file.lines.count > 251 {
      Issue.record("\(file.path): \(file.lines.count - 1) lines, the limit is 250")
    }
  }

  @Test func functionsAreNotTooLong() throws {
    for file in try sources(["Sources", "Benchmarks", "Tests"], [".swift"]) {
      for function in file.functions where function.count > 60 {
        Issue.record("\(file.path):\(function.lowerBound + 1): \(function.count) lines, the limit is 60")
      }
    }
  }

  /// In optimized code, a `precondition` stops without its message, and an `assert` is removed. So the code calls
  /// `fatalError` with a message. Only the CPU and GPU devices use preconditions, for conditions that no caller can
  /// violate.
  @Test func trapsHaveMessages() throws {
    let owners: Set<String> = ["ApusGPU", "ApusCPU"]
    let mute: Set<Substring> = ["precondition", "preconditionFailure", "assert", "assertionFailure"]
    for file in try sources(["Sources", "Benchmarks"], [".swift"]) where !owners.contains(file.module) {
      for (number, line) in file.lines.enumerated() {
        guard !line.trimmingPrefix(while: \.isWhitespace).hasPrefix("//") else { continue }
        for call in line.matches(of: /(\w+)\(/) where mute.contains(call.1) {
          Issue.record("\(file.path):\(number + 1): \(call.1) says nothing in optimized code; call fatalError")
        }
      }
    }
  }

  /// `.ci/oclgrind-check` runs every suite of kernel tests on oclgrind, an OpenCL simulator.
  @Test func noSuiteOfKernelsIsLeftOut() throws {
    let check = try String(contentsOf: root.appending(path: ".ci/oclgrind-check"), encoding: .utf8)
    let filter = try #require(check.firstMatch(of: /ApusGPUTests\.\(([A-Za-z|]+)\)Tests/))
    let checked = Set(filter.1.split(separator: "|"))
    let suites = try sources(["Tests/ApusGPUTests"], [".swift"]).flatMap(\.lines).compactMap { line in
      line.firstMatch(of: /^@DeviceThread @Suite struct (\w+)Tests/).map(\.1)
    }
    #expect(suites.count > 8 && checked == Set(suites))
  }

  @Test func functionsAreFoundWithTheirEnds() {
    let file = Source(
      path: "Sources/X/a.swift",
      lines: [
        "struct A {", "  func one() {", "    two", "  }", "  func short() { 1 }", "  init<T>(", "    _ x: T", "  ) {",
        "    self.x = x", "  }", "}", "protocol B {", "  func three()", "}", "func four(", ") {", "}",
      ])
    #expect(file.functions == [1..<4, 5..<10, 14..<17])
  }

  @Test func allImportsAreFound() {
    let file = Source(
      path: "Sources/X/a.swift",
      lines: [
        "import A", "@_exported import B", "@testable import C // why", "  import struct D.E", "// import F",
        "let text = \"import G\"", "public import H", "import",
      ])
    #expect(file.imports == ["A", "B", "C", "D", "H"])
  }
}
