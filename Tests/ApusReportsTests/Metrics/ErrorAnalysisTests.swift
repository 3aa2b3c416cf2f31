import Apus
import ApusTestSupport
import Foundation
import Testing

@testable import ApusReports

@Suite struct ErrorAnalysisTests {
  /// Ten examples of three classes. Examples 1, 3, 4 and 8 are misclassified.
  private func analysis(names: [String]? = nil, examples: [Int]? = nil) throws -> ErrorAnalysis {
    let labels: [Int32] = [0, 1, 2, 0, 1, 2, 0, 1, 2, 0]
    let predicted: [Int32: Int32] = [1: 2, 3: 2, 4: 2, 8: 0]
    let shares: [Int32: Float] = [1: 0.5, 3: 0.9, 4: 0.75, 8: 0.625]
    let probabilities = labels.enumerated().flatMap { number, label in
      (0..<3).map { (place: Int32) in
        let best = predicted[Int32(number)] ?? label
        let share = shares[Int32(number)] ?? 0.8
        return place == best ? share : (1 - share) / 2
      }
    }
    let results = try ClassificationResults(probabilities: probabilities, classes: 3, labels: labels)
    return ErrorAnalysis(of: results, examples: examples, names: names, classNames: ["cat", "dog", "=cow"])
  }

  @Test func theWorstComeFirst() throws {
    let analysis = try analysis(names: (0..<10).map { "images/\($0).png" })
    #expect(analysis.entries.map(\.example) == [3, 4, 8, 1] && analysis.accuracy == 0.6)
    let first = analysis.entries[0]
    #expect(first.name == "images/3.png" && first.truth == "cat" && first.predicted == "=cow")
    #expect(abs(first.probability! - 0.9) < 1e-7 && abs(first.loss - 2.995732) < 1e-5)
    #expect(analysis.confusions[0] == ErrorAnalysis.Confusion(truth: "dog", predicted: "=cow", count: 2))
    #expect(analysis.confusions.map(\.count) == [2, 1, 1])
    #expect(try self.analysis().entries[0].name == "example 3")
    // `examples` gives the indices in the source, which has more examples than the results.
    let names = (0..<20).map { "\($0).png" }
    let some = try self.analysis(names: names, examples: (0..<10).map { 2 * $0 + 1 })
    #expect(some.entries.map(\.example) == [7, 9, 17, 3] && some.entries.map(\.name)[1] == "9.png")
  }

  @Test func entriesOfARegressionHaveTheLargestSquaredErrors() throws {
    let results = try RegressionResults(predicted: [1, 2, 3, 4, 5, 6], targets: [1, 2, 0, 4, 5, 4], outputs: 2)
    let analysis = ErrorAnalysis(of: results, worst: 2)
    #expect(analysis.entries.map(\.example) == [1, 2] && analysis.entries.map(\.loss) == [4.5, 2])
    #expect(analysis.entries[0].truth == "0.0 4.0" && analysis.entries[0].predicted == "3.0 4.0")
    #expect(analysis.entries[0].probability == nil && analysis.confusions.isEmpty)
  }

  /// The sheet (the CSV file of the misclassified examples) follows RFC 4180, and contains nothing that a spreadsheet
  /// program interprets as a formula.
  @Test func sheetsAreQuotedAndHarmless() throws {
    var names = (0..<10).map { "\($0).png" }
    names[3] = "=HYPERLINK(\"http://x\", 1)"
    names[4] = "@a\nb"
    names[8] = "'quoted"
    names[1] = "-1+2"
    let text = ErrorSheet.text(of: try analysis(names: names))
    let lines = text.components(separatedBy: "\r\n")
    #expect(lines[0] == "example,name,true,predicted,probability,loss,tag 1,tag 2,tag 3,comment" && lines.last == "")
    #expect(lines[1] == "3,\"'=HYPERLINK(\"\"http://x\"\", 1)\",cat,'=cow,0.900000,2.995732,,,,")
    #expect(lines[2].hasPrefix("4,\"'@a\nb\",dog,'=cow,"))
    #expect(lines[3].hasPrefix("8,''quoted,'=cow,cat,") && lines[4].hasPrefix("1,'-1+2,dog,"))
    let rows = try ErrorSheet(Array(text.utf8), path: "x.csv").rows
    #expect(rows.map(\.example) == [3, 4, 8, 1] && rows.map(\.truth) == ["cat", "dog", "=cow", "dog"])
    #expect(rows.allSatisfy { $0.tags.isEmpty && !$0.isExamined })
  }

  /// Python's `csv` module reads the sheet as it was written.
  @Test func pythonReadsTheSheet() throws {
    let scratch = try ScratchDirectory()
    let names = (0..<10).map { "a,\"\($0)\"\r\nb;c\td" }
    try ErrorSheet.write(analysis(names: names), to: scratch.file("sheet.csv"))
    let process = Process()
    process.executableURL = URL(filePath: "/usr/bin/env")
    process.arguments = [
      "python3", "-c",
      "import csv, json, sys; print(json.dumps([r[:2] for r in csv.reader(open(sys.argv[1], newline=''))]))",
      scratch.file("sheet.csv"),
    ]
    let output = Pipe()
    process.standardOutput = output
    try process.run()
    let rows = try JSON(parsing: Array(output.fileHandleForReading.readDataToEndOfFile()))
    process.waitUntilExit()
    #expect(rows.array?.map { $0.array?[1].string } == ["name", names[3], names[4], names[8], names[1]])
  }

  @Test func tagsAreCounted() throws {
    let sheet = """
      \u{feff}true;example;tag 1;tag 2;comment;blurry\r
      cat;3;dark;" far ";;\r
      dog;4;dark; night;dark;;x\r
      '=cow;8;;;nothing to see;no\r
      dog;1;;;;\r
      ;;;;;\r
      cat;0;dark;;;\r
      cat;99;dark;;;

      """.replacing("dark; night", with: "\"dark; night\"")
    let read = try ErrorSheet(Array(sheet.utf8), path: "x.csv")
    #expect(read.rows.map(\.tags) == [["dark", "far"], ["dark", "night", "blurry"], [], [], ["dark"], ["dark"]])
    #expect(read.rows.map(\.isExamined) == [true, true, true, false, true, true])
    let counts = TagCounts(read, of: try analysis())
    #expect(counts.unmatchedCount == 2 && counts.examinedCount == 3 && counts.errorCount == 4 && counts.accuracy == 0.6)
    #expect(counts.tags.map(\.name) == ["dark", "blurry", "far", "night"] && counts.tags.map(\.count) == [2, 1, 1, 1])
    let dark = counts.tags[0]
    #expect(abs(dark.share - 2.0 / 3) < 1e-15 && dark.fixedAccuracy == 0.8)
    #expect(abs(dark.ceiling - (0.6 + 0.4 * 2 / 3)) < 1e-15)
    #expect(counts.json["tags"]?.array?[0]["tag"]?.string == "dark")
  }

  @Test(arguments: [
    ("", "line 1", "does not name the columns"), ("example,name\n1,a\n", "line 1", "does not name the columns"),
    ("example,true\n1,a\nx,b\n", "line 3", "\"x\" is not the number"),
    ("example,true\n-1,a\n", "line 2", "\"-1\" is not the number"),
    ("example,true\n1,\"a\n\nb\"\n1,c\n", "line 5", "is on line 2, too"),
    ("example,true\n1,\"a\n", "line 3", "quotes that open in line 2 are never closed"),
    ("example,true\n1,\"a\"b\n", "line 2", "text after the closing quote"),
    ("example,true\n1,a,b\n", "line 2", "it has 3 fields, but the first line has 2"),
  ])
  func damagedSheetsAreRefused(text: String, line: String, reason: String) {
    let error = #expect(throws: DataError.self) { try ErrorSheet(Array(text.utf8), path: "x.csv") }
    let message = "\(error!)"
    #expect(message.contains("x.csv") && message.contains("in \(line):") && message.contains(reason), "\(message)")
  }

  @Test func bytesThatAreNoTextAreRefused() {
    let bytes = Array("example,true\n1,".utf8) + [0xe9, 0x0a]
    let error = #expect(throws: DataError.self) { try ErrorSheet(bytes, path: "x.csv") }
    #expect("\(error!)".contains("not UTF-8"))
  }

  /// Any bytes give a sheet or an error.
  @Test func anyBytesGiveASheetOrAnError() {
    var state: UInt64 = 1
    let letters = Array("example,true\n\r\"';\t1=\u{e9}".utf8)
    for _ in 0..<2000 {
      let bytes = (0..<40).map { _ in
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return letters[Int(state >> 33) % letters.count]
      }
      _ = try? ErrorSheet(Array("example,true\n".utf8) + bytes, path: "x.csv")
      _ = try? ErrorSheet(bytes, path: "x.csv")
    }
  }
}
