import ApusTestSupport
import Foundation
import Testing

@testable import ApusSystem

struct QuotingTests {
  @Test func plainTextStaysAsItIs() {
    #expect("a b".quoted() == "\"a b\"" && "".quoted() == "\"\"")
    #expect("größe, 日本, 👩‍💻, é".printable() == "größe, 日本, 👩‍💻, é")
    #expect("a\nb\tc".printable(keepsLines: true) == "a\nb\tc")
  }

  /// Characters on which a terminal or an editor acts: control characters (C0 and C1), characters that change the text
  /// direction, line separators, and invisible characters.
  @Test(arguments: [
    ("\u{1B}[31mred", "\\u{1B}[31mred"), ("a\rb\u{7}", "a\\u{D}b\\u{7}"), ("\u{9B}2J", "\\u{9B}2J"),
    ("\u{202E}gnp.exe", "\\u{202E}gnp.exe"), ("\u{2066}x\u{2069}", "\\u{2066}x\\u{2069}"),
    ("a\u{2028}b", "a\\u{2028}b"),
    ("a\nb", "a\\u{A}b"), ("\u{FEFF}\u{200B}", "\\u{FEFF}\\u{200B}"), ("\u{7F}", "\\u{7F}"),
  ])
  func charactersThatActAreEscaped(text: String, expected: String) {
    #expect(text.printable() == expected)
    #expect("\u{1B}]0;\n".printable(keepsLines: true) == "\\u{1B}]0;\n")
  }

  @Test func longTextIsCutInItsMiddle() {
    let text = String(repeating: "a", count: 50_000_000) + String(repeating: "z", count: 50_000_000)
    let start = ContinuousClock.now
    #expect(text.quoted(limit: 8) == "\"aaaa … 99999992 bytes … zzzz\"")
    #expect(ContinuousClock.now - start < .seconds(1))
    #expect("abcdefghi".printable(limit: 9) == "abcdefghi")
    #expect("abcdefghij".printable(limit: 9) == "abcde … 1 bytes … ghij")
    // One letter can carry any number of combining marks.
    #expect(("a" + String(repeating: "\u{301}", count: 100_000)).printable(limit: 10).unicodeScalars.count < 40)
  }

  @Test func errorsEscapeAndTruncateThePath() {
    let error = FileError(operation: "open", path: "\u{1B}[2J" + String(repeating: "x", count: 5000), code: ENOENT)
    #expect(error.description.hasPrefix("\\u{1B}[2Jxxx") && error.description.utf8.count < 700)
  }
}

struct FileSystemTests {
  @Test func privateDirectories() throws {
    let scratch = try ScratchDirectory()
    let path = scratch.file("a/b")
    try FileSystem.createPrivateDirectory(path)
    try FileSystem.createPrivateDirectory(path)
    chmod(path, 0o720)
    #expect(throws: FileError.self) { try FileSystem.createPrivateDirectory(path) }
    let file = try scratch.write([], to: "file")
    #expect(throws: FileError.self) { try FileSystem.createPrivateDirectory(file) }
    #expect(try #require(FileSystem.freeByteCount(scratch.path)) > 0)
    #expect(FileSystem.freeByteCount("/no/such/folder") == nil)
  }

  @Test func namesThatAreNotUTF8AreMarked() throws {
    let scratch = try ScratchDirectory()
    _ = try scratch.write([1], to: "a.png")
    let bytes = Array(scratch.file("caf").utf8) + [0xE9, 0]
    bytes.withUnsafeBufferPointer { buffer in
      buffer.withMemoryRebound(to: CChar.self) { _ = mkdir($0.baseAddress!, 0o700) }
    }
    let found = try FileSystem.contents(of: scratch.path)
    #expect(found.map(\.name) == ["a.png", "caf\u{FFFD}"])
    #expect(found.map(\.isNamed) == [true, false] && found.map(\.isDirectory) == [false, true])
    let error = #expect(throws: FileError.self) { try FileDescriptor(reading: scratch.file("caf\u{FFFD}")) }
    #expect(error?.description.contains("its name may not be UTF-8; rename it") == true)
  }

  /// Reading a file that does not fit into memory is an error, and does not end the process. A sparse file can have any
  /// size.
  @Test func aFileLargerThanMemoryIsAnError() throws {
    let scratch = try ScratchDirectory()
    let path = try scratch.write([], to: "sparse")
    #expect(truncate(path, 1 << 43) == 0)
    let error = #expect(throws: FileError.self) { try FileDescriptor.contents(of: path) }
    #expect(error?.code == ENOMEM && error?.detail == "8796093022208 bytes are needed")
    #expect(HostAllocation.isPossible(1 << 24) && !HostAllocation.isPossible(1 << 46))
  }

  @Test func theWordPrecedesTheLastItem() {
    #expect([String]().list("or") == "")
    #expect(["a"].list("or") == "a")
    #expect(["a", "b"].list("and") == "a and b")
    #expect(["a", "b", "c"].list("or") == "a, b or c")
  }
}
