import Apus
import ApusTestSupport
import Testing

@testable import ApusData

struct TableEncoderTests {
  private let fixture: Fixture
  private let data: TableDataset
  private let train: [Int32]

  init() throws {
    fixture = try Fixture("tables")
    let bytes = try fixture.numbers("table", "csv").map { UInt8($0) }
    data = try TableDataset(Table(parsing: bytes, path: "tables.csv"))
    train = try fixture.numbers("table", "train").map { Int32($0) }
  }

  /// Every scaling, imputation and encoding agrees with scikit-learn within two units in the last place of `float32`,
  /// or within 2⁻²⁴ if that is more.
  @Test func featuresEqualScikitLearn() throws {
    var worst: Float = 0
    let cases = fixture.cases.filter { $0 != "table" }
    #expect(cases.count == 13)
    for name in cases {
      var encoding = TableEncoding()
      let scaling = name.replacing("min-max", with: "minmax")
      encoding.scaling = try #require(TableEncoding.Scaling.allCases.first { scaling.hasPrefix($0.rawValue) })
      encoding.imputation = try #require(TableEncoding.Imputation.allCases.first { name.contains($0.rawValue) })
      encoding.categories = try #require(TableEncoding.Categories.allCases.first { name.contains($0.rawValue) })
      encoding.indicatesMissing = name.hasSuffix("missing")
      let encoder = try TableEncoder(fitting: data.features, rows: train, encoding)
      let found = try encoder.encode(data.features, rows: Array(0..<120))
      let expected = try fixture.numbers(name, "output.0").map { Float($0) }
      try #require(found.count == expected.count && found.count == 120 * encoder.width, "\(name)")
      for (index, (one, other)) in zip(found, expected).enumerated() where one != other {
        let difference = abs(one - other) / max(other.ulp, 0x1p-25)
        worst = max(worst, difference)
        #expect(
          difference <= 2, "\(name): \(one), expected \(other), of \(encoder.featureNames[index % encoder.width])")
      }
      let copy = try #require(TableEncoder(JSON(parsing: Array(encoder.json.text().utf8))))
      #expect(copy == encoder)
    }
    print("TableEncoder: worst difference to scikit-learn \(worst) of 2")
  }

  @Test func classWeightsEqualScikitLearn() throws {
    guard case .classes(let labels, let names) = data.targets else { throw FixtureMissing() }
    #expect(names == ["no", "perhaps", "yes"])
    let weights = ClassBalance(labels: train.map { labels[Int($0)] }, classCount: 3).weights
    let expected = try fixture.numbers("table", "weights")
    #expect(zip(weights, expected).allSatisfy { abs($0 - $1) < 1e-14 } && expected.count == 3)
  }

  private struct FixtureMissing: Error {}

  private func table(_ text: String, _ path: String = "t.csv") throws(DataError) -> Table {
    try Table(parsing: Array(text.utf8), path: path)
  }

  private func failure(_ body: () throws -> Void) -> String {
    #expect(throws: DataError.self) { try body() }?.description ?? ""
  }

  @Test func rulesAreFittedOnTheTrainingRowsAlone() throws {
    let one = try table("a,b\n1,x\n3,y\n1000,z\n,\n")
    let other = try table("a,b\n1,x\n3,y\n-7,w\n5,\n")
    let encoder = try TableEncoder(fitting: one, rows: [0, 1])
    #expect(encoder == (try TableEncoder(fitting: other, rows: [1, 0])))
    #expect(encoder.featureNames == ["a", "b=x", "b=y"])
    #expect(try encoder.encode(one, rows: [1, 2, 3]) == [1, 0, 1, 998, 0, 0, 0, 0, 0])
    #expect(try encoder.encode(one, rows: []) == [])
  }

  @Test func constantAndEmptyColumns() throws {
    let table = try table("a,b,c,d\n5,,1,\n5,,1,\n7,8,2,x\n")
    for scaling in TableEncoding.Scaling.allCases where scaling != .none {
      var encoding = TableEncoding()
      encoding.scaling = scaling
      encoding.indicatesMissing = true
      let encoder = try TableEncoder(fitting: table, rows: [0, 1], encoding)
      #expect(encoder.featureNames == ["a", "c"])
      #expect(try encoder.encode(table, rows: [0, 1, 2]) == [0, 0, 0, 0, 2, 1])
      #expect(TableEncoder(encoder.json) == encoder)
    }
    #expect(
      failure { _ = try TableEncoder(fitting: try self.table("a,b\n,\n"), rows: [0]) }
        .contains("no column has a value"))
  }

  @Test func codesForEmbeddings() throws {
    var encoding = TableEncoding()
    encoding.categories = .codes
    let table = try table("a,b\nx,1\ny,2\nq,3\n,4\n")
    let encoder = try TableEncoder(fitting: table, rows: [1, 0], encoding)
    #expect(encoder.codes.map(\.feature) == [0] && encoder.codes.map(\.count) == [3] && encoder.width == 2)
    let features = try encoder.encode(table, rows: [0, 1, 2, 3])
    #expect([0, 2, 4, 6].map { features[$0] } == [1, 2, 0, 0])
  }

  @Test func otherTablesMustHaveTheColumns() throws {
    let encoder = try TableEncoder(fitting: table("age,color\n1,x\n2,y\n"), rows: [0, 1])
    #expect(encoder.kinds == ["age": .numeric, "color": .categorical])
    // The order of columns does not matter.
    #expect(try encoder.encode(table("color,more,age\ny,0,2\n"), rows: [0]) == [1, 0, 1])
    let lacking = failure { _ = try encoder.encode(try table("ages,color\n1,x\n"), rows: [0]) }
    #expect(
      lacking.contains("t.csv: cannot use this CSV file: it has no column \"age\"; did you mean ages?"), "\(lacking)")
    let words = failure { _ = try encoder.encode(try table("age,color\nold,x\n"), rows: [0]) }
    #expect(words.contains("the column \"age\" is categorical, but was numeric in training"))
  }

  @Test func numbersThatAreTooLarge() throws {
    let huge = failure {
      _ = try TableEncoder(fitting: try self.table("a,b\n1e308,1\n-1e308,2\n1.5e308,1\n"), rows: [0, 1, 2])
    }
    #expect(huge.contains("numbers of the column \"a\" are too large to be scaled"))
    var plain = TableEncoding()
    plain.scaling = .none
    let table = try table("a,b\n1,1\n1e39,2\n")
    let encoder = try TableEncoder(fitting: table, rows: [0], plain)
    let text = failure { _ = try encoder.encode(table, rows: [0, 1]) }
    #expect(text.contains("in line 3: numbers of the column \"a\""))
  }

  @Test(
    arguments: [
      #"{}"#, #"[]"#, #"[{"name":"a"}]"#, #"[{"name":"a","kind":"numeric","fill":0,"offset":0,"scale":0}]"#,
      #"[{"name":"a","kind":"numeric","fill":0,"offset":null,"scale":1,"indicates_missing":false}]"#,
      #"[{"name":"a","kind":"categorical"}]"#, #"[{"name":"a","kind":"categorical","one_hot":[1]}]"#,
      #"[{"name":"a","kind":"categorical","codes":["x","x"]}]"#, #"[{"name":"a","kind":"words","codes":["x"]}]"#,
      #"[{"name":"a","kind":"categorical","codes":["x"]},{"name":"a","kind":"categorical","codes":["x"]}]"#,
    ])
  func damagedStatesAreRefused(text: String) throws {
    #expect(TableEncoder(try JSON(parsing: Array(text.utf8))) == nil)
  }

  @Test func tensorsOfRows() throws {
    let device = ComputeDevice.current
    let encoder = try TableEncoder(fitting: data.features, rows: data.split.train)
    let loaded = try LoadedTable(data, rows: data.split.test, encoder: encoder, device: device)
    #expect(loaded.count == data.split.test.count && loaded.features.shape == [24, encoder.width])
    guard case .classes(let labels, _) = data.targets else { throw FixtureMissing() }
    let batch = loaded.batch([3, 0])
    #expect(try batch.targets.array(of: Int32.self) == [3, 0].map { labels[Int(data.split.test[$0])] })
    let expected = try encoder.encode(data.features, rows: [data.split.test[3], data.split.test[0]])
    #expect(try batch.features.array() == expected)
    let numbers = try TableDataset(table("a,y\n1,0.5\n2,1.5\n3,2.5\n4,1\n5,2\n"))
    let regression = try LoadedTable(
      numbers, rows: [0, 4], encoder: TableEncoder(fitting: numbers.features, rows: numbers.split.train), device: device
    )
    #expect(regression.targets.shape == [2, 1])
    #expect(try regression.targets.array() == [0.5, 2])
  }
}
