import ApusTensor
import ApusTestSupport
import Foundation
import Testing

@testable import ApusData

struct TextDataTests {
  private let scratch: ScratchDirectory

  init() throws { scratch = try ScratchDirectory() }

  private func write(_ bytes: [UInt8], to name: String = "text.txt") throws -> String {
    let path = scratch.file(name)
    try Data(bytes).write(to: URL(filePath: path))
    return path
  }

  @Test func bible() throws {
    let corpus = try TextCorpus.load("bible-kjv")
    #expect(corpus.train.hasPrefix("Ge1:1 In the beginning God created the heaven and the earth.\n"))
    #expect(corpus.test.hasSuffix("Amen.\n"))
    let (train, test) = (corpus.train.unicodeScalars.count, corpus.test.unicodeScalars.count)
    #expect(train + test == 4_404_412 && test == 440_441)
  }

  @Test func verses() throws {
    let data = try TextDataset.load("bible-verses")
    #expect(data.train.count + data.test.count == 31_102 && data.test.count == 3_110)
    #expect(data.train.texts[0] == "In the beginning God created the heaven and the earth.")
    #expect(data.train.labels.first == 0 && data.test.labels.last == 5)
    // The numbers of verses in the Pentateuch, and in Matthew to Acts.
    let labels = data.train.labels + data.test.labels
    #expect(labels.count { $0 == 0 } == 5_852 && labels.count { $0 == 4 } == 4_786)
    #expect(Set(labels).count == data.classNames.count)
  }

  @Test func aTenthOfAFileIsHeldOut() throws {
    let corpus = try TextCorpus(path: write(Array("\u{FEFF}é12345678\r\nx".utf8)))
    #expect(corpus.train == "é12345678\n" && corpus.test == "x")
  }

  @Test func badTextsAreRefused() throws {
    let latin = #expect(throws: DataError.self) { try TextCorpus(path: write([0x61, 0xE9, 0x20])) }
    #expect("\(try #require(latin))".contains("at byte 1: it is not UTF-8"))
    #expect(throws: DataError.self) { try TextCorpus(path: write(Array("short".utf8))) }
    #expect(throws: DataError.self) { try TextCorpus(path: scratch.file("none")) }
    let images = #expect(throws: DataError.self) { try TextCorpus.load("fashion-mnist") }
    #expect(
      "\(try #require(images))".contains("it has images, but the model needs text; use one of bible-kjv, text:FILE"))
    #expect(throws: DataError.self) { try ImageDataset.load("bible-kjv") }
    let line = #expect(throws: DataError.self) { try TextDataset(path: write(Array("a\tb\nno tab\n".utf8))) }
    #expect("\(try #require(line))".contains("in line 2"))
    #expect(throws: DataError.self) { try TextDataset(path: write(Array("a\tb\n".utf8))) }
  }

  @Test func labeledLines() throws {
    let lines = (0..<20).map { "\($0 % 2 == 0 ? "even" : "odd")\tnumber \($0)\twith a tab" }
    let data = try TextDataset(path: write(Array(lines.joined(separator: "\n").utf8)))
    #expect(data.classNames == ["even", "odd"] && data.train.count == 18)
    #expect(data.test.texts == ["number 9\twith a tab", "number 19\twith a tab"] && data.test.labels == [1, 1])
  }
}
