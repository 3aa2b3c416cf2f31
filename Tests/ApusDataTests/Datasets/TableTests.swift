import ApusTestSupport
import Testing

@testable import ApusData

struct TableTests {
  private func table(_ text: String, _ options: TableOptions = TableOptions()) throws(DataError) -> Table {
    try Table(parsing: Array(text.utf8), path: "t.csv", options: options)
  }

  private func failure(_ text: String, _ options: TableOptions = TableOptions()) -> String {
    #expect(throws: DataError.self) { _ = try table(text, options) }?.description ?? ""
  }

  private func numbers(_ column: Table.Column?) -> [Double]? {
    if case .numbers(let numbers) = column?.values { numbers } else { nil }
  }

  @Test func columnsAreNumericOrCategoricalByContent() throws {
    let table = try table(
      "age, size ,color,code,mixed\n 1 ,1e-3, red ,+7,1\n-2.5,NA,green,?,\n,.5,NaN,null,x\nnan,3.,\"red\",-0,0x10\n")
    #expect(table.columns.map(\.name) == ["age", "size", "color", "code", "mixed"] && table.rowCount == 4)
    #expect(table.columns.map(\.kind) == [.numeric, .numeric, .categorical, .numeric, .categorical])
    let ages = try #require(numbers(table["age"]))
    #expect(ages[..<2] == [1, -2.5] && ages[2].isNaN && ages[3].isNaN)
    #expect(table["color"]?.values == .categories(codes: [0, 1, -1, 0], names: ["red", "green"]))
    #expect(table["mixed"]?.values == .categories(codes: [0, -1, 1, 2], names: ["1", "x", "0x10"]))
    #expect(table["nothing"] == nil)
  }

  @Test func optionsOverrideWhatTheContentSays() throws {
    var options = TableOptions()
    options.kinds = ["a": .categorical]
    options.ignored = ["b"]
    options.missing = ["-"]
    let first = try table("a,b,c\n1,x,-\n2,y,3\n1,z,4\n", options)
    #expect(first.columns.map(\.name) == ["a", "c"])
    #expect(first["a"]?.values == .categories(codes: [0, 1, 0], names: ["1", "2"]))
    #expect(first["c"]?.kind == .numeric)
    var bare = TableOptions()
    bare.hasHeader = false
    bare.delimiter = .tab
    let second = try table("1\t2,5\n3\tx\n", bare)
    #expect(second.columns.map(\.name) == ["column 1", "column 2"] && second.rowCount == 2)
    #expect(second["column 2"]?.kind == .categorical)
    #expect(try table(",b\n1,2\n").columns.map(\.name) == ["column 1", "b"])
  }

  /// A column of numbers with decimal commas, as German and French spreadsheets write them, is an error; it does not
  /// become a categorical column.
  @Test func decimalCommasAreRefused() throws {
    let message = failure("a;b\n38,1;x\nNA;y\n7;z\n")
    #expect(message.contains("the column \"a\" has numbers with commas, such as 38,1"), "\(message)")
    #expect(try table("a;b\n38,1;x\n1,2,3;y\n").columns[0].kind == .categorical)
    #expect(try table("a;b\n38,1;x\nsome;y\n").columns[0].kind == .categorical)
  }

  /// Even a few words among many numbers make a column categorical. The words may be mistakes or stand for missing
  /// values, so a note names the first of them.
  @Test func fewWordsAmongNumbersAreNoted() throws {
    let numbers = (0..<18).map { "\($0),x\n" }.joined()
    let noted = try table("a,b\n" + numbers + "unknown,y\n,z\nnone,y\n")
    #expect(noted["a"]?.kind == .categorical)
    #expect(
      noted.notes == [
        "the column \"a\" of t.csv is categorical: 18 of its values are numbers, but \"unknown\" in line 20 is not; "
          + "leave missing values empty"
      ])
    #expect(noted.removing("b").notes == noted.notes)
    var options = TableOptions()
    options.kinds = ["a": .categorical]
    #expect(try table("a,b\n" + numbers + "unknown,y\n", options).notes.isEmpty)
    #expect(try table("a,b\n" + numbers).notes.isEmpty)
    #expect(try table("a,b\n1,x\n2,x\nsome,y\n").notes.isEmpty)
  }

  @Test func raggedRowsAreNamed() {
    #expect(failure("a,b\n1,2\n1,2,3\n").contains("in line 3: 3 fields, but the first line has 2"))
    #expect(failure("a,b\n\"x\ny\",2\n1\n").contains("in line 4: 1 field, but the first line has 2"))
  }

  @Test func wrongTablesAreRefused() {
    #expect(failure("").contains("t.csv: not a valid CSV file: it is empty"))
    #expect(failure("a,b\n").contains("no rows"))
    #expect(failure("a,a\n1,2\n").contains("two columns are named \"a\""))
    #expect(failure("a,b\n1,1e999\n").contains("in line 2: 1e999 in the column \"b\" is too large"))
    var options = TableOptions()
    options.kinds = ["b": .numeric]
    #expect(failure("a,b\n1,2\n1,two\n", options).contains("in line 3: \"two\" in the column \"b\" is not a number"))
    options.kinds = ["colors": .numeric]
    #expect(failure("color,b\n1,2\n", options).contains("no column \"colors\"; did you mean color?"))
    let error = #expect(throws: DataError.self) { try Table(path: "/nowhere.csv") }
    #expect(error?.description.contains("/nowhere.csv: cannot open") == true)
  }

  @Test func noInputTraps() {
    let seeds = ["a,b,c\n1,\"2\",x\n3,,y\n", "x;y\n1e300;?\n-1;0\n"].map { Array($0.utf8) }
    var encoded = 0
    for bytes in Mutations(of: seeds, count: 5_000) {
      guard let table = try? Table(parsing: bytes), let data = try? TableDataset(table) else { continue }
      guard let encoder = try? TableEncoder(fitting: data.features, rows: data.split.train) else { continue }
      if (try? encoder.encode(data.features, rows: data.split.test)) != nil { encoded += 1 }
    }
    #expect(encoded > 30)
  }
}

struct TableDatasetTests {
  private func data(
    _ text: String, _ task: TableTask = TableTask(), _ split: SplitOptions = SplitOptions(test: 0.5)
  ) throws(DataError) -> TableDataset {
    try TableDataset(Table(parsing: Array(text.utf8), path: "t.csv"), task: task, split: split)
  }

  private func failure(_ text: String, _ task: TableTask = TableTask()) -> String {
    #expect(throws: DataError.self) { _ = try data(text, task) }?.description ?? ""
  }

  /// `limitingTraining(to:)` selects a part of the training rows, with the same fraction of each class. It keeps the
  /// held-out rows.
  @Test func fewerTrainingRowsAreKept() throws {
    let rows = (0..<100).map { "\($0),\($0 % 4 == 0 ? "rare" : "usual")\n" }.joined()
    let all = try data("a,y\n" + rows, TableTask(), SplitOptions(test: 0.2))
    let few = all.limitingTraining(to: 20, seed: 3)
    guard case .classes(let labels, _) = few.targets else { throw UnexpectedTargets() }
    #expect(few.split.train.count == 20 && Set(few.split.train).isSubset(of: all.split.train))
    #expect(few.split.train.count { labels[Int($0)] == 0 } == 5 && few.split.test == all.split.test)
    #expect(all.limitingTraining(to: 80, seed: 3).split == all.split)
    #expect(all.limitingTraining(to: nil, seed: 3).split == all.split)
    #expect(all.targetStatistics == nil)
  }

  @Test func targetStatisticsAreOfTheTrainingRows() throws {
    let rows = (0..<40).map { "\($0),\(Double($0 * $0) + 0.5)\n" }.joined()
    let set = try data("a,y\n" + rows)
    guard case .numbers(let numbers) = set.targets else { throw UnexpectedTargets() }
    let (found, known) = (try #require(set.targetStatistics), set.split.train.map { numbers[Int($0)] })
    let mean = known.reduce(0, +) / Double(known.count)
    let variance = known.map { ($0 - mean) * ($0 - mean) }.reduce(0, +) / Double(known.count)
    #expect(abs(found.mean - mean) < 1e-9 && abs(found.standardDeviation - variance.squareRoot()) < 1e-9)
    let scaled = set.replacingTargets(.numbers(numbers.map { ($0 - found.mean) / found.standardDeviation }))
    let zero = try #require(scaled.targetStatistics)
    #expect(abs(zero.mean) < 1e-12 && abs(zero.standardDeviation - 1) < 1e-12)
  }

  @Test func targetsAreClassesOrNumbers() throws {
    let words = try data("a,y\n1,no\n2,yes\n3,no\n4,a\n5,a\n6,yes\n")
    #expect(words.targets == .classes([1, 2, 1, 0, 0, 2], names: ["a", "no", "yes"]) && words.target == "y")
    #expect(words.features.columns.map(\.name) == ["a"])
    #expect(words.split.train.count == 3 && words.split.test.count == 3)
    let whole = try data("a,y\n1,10\n2,9\n3,-1\n4,10\n5,9\n6,-1\n")
    #expect(whole.targets == .classes([2, 1, 0, 2, 1, 0], names: ["-1", "9", "10"]))
    let numbers = try data("a,y\n1,10\n2,9.5\n")
    #expect(numbers.targets == .numbers([10, 9.5]))
    #expect(try data("a,y\n1,10\n2,9\n", TableTask(kind: .regression)).targets == .numbers([10, 9]))
    let many = "a,y\n" + (0..<42).map { "1,\($0 % 21)\n" }.joined()
    guard case .numbers = try data(many).targets else { throw UnexpectedTargets() }
    guard case .classes(_, let names) = try data(many, TableTask(kind: .classification)).targets else {
      throw UnexpectedTargets()
    }
    #expect(names == (0..<21).map(String.init))
    let first = try data("y,b\nu,1\nv,2\nu,3\nv,4\n", TableTask(target: "y"))
    #expect(first.target == "y" && first.features.columns.map(\.name) == ["b"])
  }

  private struct UnexpectedTargets: Error {}

  @Test func wrongTargetsAreRefused() {
    #expect(failure("a,why\n1,2\n", TableTask(target: "whi")).contains("no column \"whi\"; did you mean why?"))
    #expect(failure("a,y\n1,u\n2,\n").contains("in line 3: the target \"y\" is missing"))
    #expect(failure("a,y\n1,1.5\n2,?\n").contains("in line 3: the target \"y\" is missing"))
    #expect(failure("a,y\n1,u\n2,u\n").contains("all rows have the same class"))
    #expect(failure("y\n1\n2\n").contains("no column except the target"))
    #expect(failure("a,y\n1,u\n2,v\n", TableTask(kind: .regression)).contains("is not a number but"))
    let word = failure("a,y\n1,2.5\n2,v\n", TableTask(kind: .regression))
    #expect(word.contains("in line 3: the target \"y\" is not a number but \"v\""), "\(word)")
    #expect(failure("a,y\n1,u\n2,v\n").contains("its 2 rows are too few to hold some out"))
    let numbers = (0..<18).map { "1,\($0)\n" }.joined()
    let mistake = failure("a,y\n" + numbers + "1,none\n")
    #expect(mistake.contains("too few to hold some out (the column \"y\"") && mistake.contains("\"none\" in line 20"))
  }

  /// `csv:FILE` names a table, here one that is compressed with gzip. Names of other data sets are refused.
  @Test func compressedTablesAreLoadedByName() throws {
    let scratch = try ScratchDirectory()
    let rows = (0..<10).map { "\($0),\($0 % 2 == 0 ? "even" : "odd")\n" }.joined()
    let path = try scratch.write(gzipped(Array("a,y\n\(rows)".utf8)), to: "t.csv.gz")
    let data = try TableDataset.load("csv:\(path)", split: SplitOptions(test: 0.2, validation: 0.2, seed: 1))
    #expect(data.split.test.count == 2 && data.split.validation.count == 2)
    let error = #expect(throws: DataError.self) { try TableDataset.load("synthetic") }
    #expect(error?.description.contains("use one of csv:FILE") == true)
    #expect(throws: DataError.self) { try ImageDataset.load("csv:\(path)") }
  }
}
