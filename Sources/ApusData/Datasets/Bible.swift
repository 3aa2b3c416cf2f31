import ApusSystem

/// The King James Bible, as the program of the Debian package `bible-kjv` prints it: one verse per line, such as
/// `Ge1:1 In the beginning …`.
enum Bible {
  static let program = "/usr/bin/bible"
  private static let remedy = "install it with: apt-get install bible-kjv"

  /// All verses, 4.4 million characters.
  static func text() throws(DataError) -> String {
    guard FileSystem.exists(program) else { throw .missing(dataset: "bible-kjv", path: program, remedy: remedy) }
    let bytes = try reportingFiles { () throws(FileError) in
      try ProgramOutput.bytes(of: program, ["-f", "gen1:1-rev22:21"])
    }
    guard !bytes.isEmpty else {
      throw .malformed(path: program, format: "text", location: .file, reason: "it printed nothing", remedy: remedy)
    }
    return try TextCorpus.text(bytes, path: program)
  }

  /// The groups of books, in the order of the Bible, with the number of books in each group.
  private static let groups = [
    (name: "law", books: 5), (name: "history", books: 12), (name: "poetry", books: 5), (name: "prophets", books: 17),
    (name: "gospels and acts", books: 5), (name: "letters and revelation", books: 22),
  ]

  static let groupNames = groups.map(\.name)

  /// The verses without their references (`Ge1:1`), each labeled with the group of its book.
  static func verses() throws(DataError) -> LabelledTexts {
    var (texts, labels) = ([String](), [Int32]())
    var books: [Substring] = []
    let bounds = groups.reduce(into: [0]) { $0.append($0.last! + $1.books) }.dropFirst()
    for line in try text().split(separator: "\n") {
      let parts = line.split(separator: " ", maxSplits: 1)
      // "1Sam3:4": the book's name ends where the chapter number begins.
      guard parts.count == 2, let colon = parts[0].firstIndex(of: ":"),
        let last = parts[0][..<colon].lastIndex(where: { !$0.isNumber })
      else { continue }
      let book = parts[0][...last]
      if books.last != book { books.append(book) }
      texts.append(String(parts[1]))
      labels.append(Int32(bounds.firstIndex { books.count <= $0 }.map { $0 - 1 } ?? groups.count - 1))
    }
    guard books.count == bounds.last else {
      throw .malformed(
        path: program, format: "text", location: .file, reason: "\(books.count) books, expected \(bounds.last!)",
        remedy: remedy)
    }
    return LabelledTexts(texts: texts, labels: labels)
  }
}

extension DatasetDescription {
  static let bible = DatasetDescription(
    name: "bible-kjv", summary: "the King James Bible, 4.4 million characters, one verse per line",
    defaultPath: Bible.program,
    content: .text { _ throws(DataError) in try Bible.text() })

  static let bibleVerses = DatasetDescription(
    name: "bible-verses", summary: "31,102 verses in 6 classes (groups of books)",
    defaultPath: Bible.program,
    content: .labelledTexts(classNames: Bible.groupNames) { _ throws(DataError) in
      (try Bible.verses(), Bible.groupNames)
    })
}
