import ApusTestSupport
import Foundation
import Testing

/// Groups of examples that are evaluated separately.
struct SliceTests {
  private let scratch: ScratchDirectory
  private let run: String
  private let source: String

  init() throws {
    scratch = try ScratchDirectory()
    let rows = (0..<60).map { number in
      let town = ["Kiel", "Bonn", ""][number % 3]
      return "\(number % 20 == 7 ? "NA" : "\(number)"),\(town),\(number % 2),\(number * 3 + 7 * (number % 3)).5"
    }
    source =
      "csv:" + (try scratch.write(Array((["area,town,floor,price"] + rows).joined(separator: "\n").utf8), to: "a.csv"))
    run = scratch.file("run")
    let trained = try Invocation(
      "train", "mlp", "--layers", "dense 4, tanh, dense 1", "--data", source, "--steps", "3", "--device", "cpu",
      "--output", run)
    try #require(trained.status == 0, "\(trained.errors)")
  }

  private func measure(_ words: String...) throws -> Invocation {
    try Invocation(["evaluate", run, "--part", "all", "--device", "cpu", "--json"] + words)
  }

  @Test func columnsOfTables() throws {
    let measured = try measure("--slice", "town", "--slice", "area", "--slice", "floor")
    let slices = try #require(try measured.member("slices", as: [[String: Any]].self), "\(measured.errors)")
    let counts = Dictionary(uniqueKeysWithValues: slices.map { ($0["slice"] as! String, $0["examples"] as! Int) })
    #expect(
      counts == [
        "town = Kiel": 20, "town = Bonn": 20, "town missing": 20, "floor = 0": 30, "floor = 1": 30, "area missing": 3,
        "area = 0 to 14": 14, "area = 15 to 29": 14, "area = 30 to 43": 14, "area = 44 to 59": 15,
      ])
    let errors = slices.map { $0["mean_absolute_error"] as! Double }
    #expect(errors == errors.sorted(by: >))
    let whole = try #require(try measured.member("mean_absolute_error", as: Double.self))
    let floors = slices.filter { ($0["slice"] as! String).hasPrefix("floor") }
    #expect(abs(floors.reduce(0) { $0 + ($1["mean_absolute_error"] as! Double) } / 2 / whole - 1) < 1e-9)
    let text = try Invocation("evaluate", run, "--slice", "town", "--device", "cpu")
    #expect(text.output.contains("SLICE") && text.output.contains("town = Bonn"), "\(text.errors)")
    let unknown = try measure("--slice", "twon")
    #expect(unknown.status == 64 && unknown.errors.contains("did you mean town?"), "\(unknown.errors)")
  }

  @Test func filesOfGroups() throws {
    func file(_ text: String) throws -> String { try scratch.write(Array(text.utf8), to: "groups.csv") }
    let numbered = try measure("--slices", file("example,light,where\n0,dim,\n1,dim,out\n59,bright,out\n1,dim,out\n"))
    let slices = try #require(try numbered.member("slices", as: [[String: Any]].self), "\(numbered.errors)")
    let counts = Dictionary(uniqueKeysWithValues: slices.map { ($0["slice"] as! String, $0["examples"] as! Int) })
    #expect(counts == ["light = dim": 2, "light = bright": 1, "where = out": 2])
    let named = try measure("--slices", file("light,name\ndim,line 2\ndim,line 61\ndim,line 99\n"))
    #expect(try named.member("slices", as: [[String: Any]].self)?.first?["examples"] as? Int == 2, "\(named.errors)")
    #expect(named.errors.contains("left out 1 row without a measured example"), "\(named.errors)")
    for (text, message) in [
      ("a,b\n1,2\n", "neither a column \"example\" nor a column \"name\""),
      ("example,b\n60,2\n", "not a number from 0 to 59"),
      ("example,b\n1\n", "it has 1 field, but the first line has 2"),
      ("name,b\nx,2\n", "it groups none of the 60 examples"),
    ] {
      let wrong = try measure("--slices", file(text))
      #expect(wrong.status == 65 && wrong.errors.contains(message), "\(wrong.errors)")
    }
    #expect(try measure("--slices", scratch.file("none.csv")).status == 74)
  }

  /// For a classifier, each slice has an accuracy, and the verdict on bias and variance contains the slices.
  @Test func slicesOfClassifiers() throws {
    let images = try TinyImages()
    let trained = try Invocation(
      "train", "mlp", "--data", images.source, "--steps", "4", "--device", "cpu", "--output", scratch.file("images"))
    try #require(trained.status == 0, "\(trained.errors)")
    let rows = (0..<40).map { "\($0),\($0 < 10 ? "few" : "many")" }
    let path = try scratch.write(Array((["example,group"] + rows).joined(separator: "\n").utf8), to: "groups.csv")
    let measured = try Invocation(
      "evaluate", scratch.file("images"), "--slices", path, "--human-error", "0", "--device", "cpu", "--json")
    let slices = try #require(try measured.member("slices", as: [[String: Any]].self), "\(measured.errors)")
    let shares = slices.map { ($0["accuracy"] as! Double, Double($0["examples"] as! Int)) }
    #expect(shares.count == 2 && shares[0].0 <= shares[1].0)
    let accuracy = try #require(try measured.member("test_accuracy", as: Double.self))
    #expect(abs(shares.reduce(0) { $0 + $1.0 * $1.1 } / 40 - accuracy) < 1e-12)
    let verdict = try #require(try measured.member("bias_variance", as: [String: Any].self))
    #expect((verdict["slices"] as? [[String: Any]])?.count == 2)
    let column = try Invocation("evaluate", scratch.file("images"), "--slice", "town", "--device", "cpu")
    #expect(column.status == 64 && column.errors.contains("only tables have columns"), "\(column.errors)")
  }
}
