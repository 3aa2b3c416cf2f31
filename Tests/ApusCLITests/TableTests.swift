import ApusTestSupport
import Foundation
import Testing

/// CSV tables, from the file to the predictions of a model.
struct TableTests {
  private let scratch: ScratchDirectory
  /// The path of a table in which the other columns determine `price`, a number.
  private let houses: String
  /// The path of a table in which the other columns determine `kind`, one of three words.
  private let plants: String

  init() throws {
    scratch = try ScratchDirectory()
    let towns = ["Kiel", "Bonn", "Ulm", ""]
    var (rows, words) = (["area,town,age,price"], ["height;width;color;kind"])
    for index in 0..<160 {
      let (area, age, town) = (40 + 7 * (index * 37 % 23), index * 13 % 50, index * 7 % 4)
      let price = 1_000_000 + 3000 * area - 500 * age + [20_000, -10_000, 40_000, 0][town]
      rows.append("\(area),\(towns[town]),\(index % 17 == 3 ? "NA" : "\(age)"),\(price).5")
      let (height, color) = (Double(index * 29 % 31) / 3, index % 2)
      let kind = color == 0 ? "moss" : height > 5 ? "tree" : "shrub"
      words.append("\(height);\(Double(index % 5));\(["green", "red"][color]);\(kind)")
    }
    houses = try scratch.write(Array(rows.joined(separator: "\n").utf8), to: "houses.csv")
    plants = try scratch.write(Array(words.joined(separator: "\r\n").utf8), to: "plants.csv")
  }

  private func train(_ words: [String]) throws -> Invocation {
    try Invocation(["train"] + words + ["--device", "cpu", "--json"])
  }

  private func model(
    _ file: String, _ name: String, epochs: Int = 60, _ words: [String] = []
  ) throws -> (run: Invocation, path: String) {
    let path = scratch.file(name)
    let own = ["mlp", "--data", "csv:\(file)", "--batch-size", "16", "--output", path]
    let run = try train(own + ["--learning-rate", "0.003", "--epochs", "\(epochs)"] + words)
    #expect(run.status == 0, "\(run.errors)")
    return (run, path)
  }

  /// If the data of a run were moved, resuming the run is an error that changes no file. With the new path in `--data`,
  /// the run resumes.
  @Test func dataMayMove() throws {
    let run = scratch.file("moved")
    let never = try Invocation(["train", "mlp", "--data", "csv:none.csv"], in: scratch.path)
    #expect(never.status == 74 && !never.errors.contains("was started"), "\(never.errors)")
    #expect(!FileManager.default.fileExists(atPath: scratch.file("runs")))
    let words = ["mlp", "--data", "csv:houses.csv", "--batch-size", "16", "--epochs", "2", "--device", "cpu", "--json"]
    let first = try Invocation(["train"] + words + ["--output", run], in: scratch.path)
    #expect(first.status == 0, "\(first.errors)")
    let settings = try Data(contentsOf: URL(filePath: run + "/config.json"))
    let lost = try Invocation("train", "--resume", run, "--epochs", "4", "--json")
    #expect(lost.status == 74 && lost.errors.contains("relative to the folder where the run was started"))
    #expect(try Data(contentsOf: URL(filePath: run + "/config.json")) == settings)
    let measured = try Invocation("evaluate", run, "--device", "cpu")
    #expect(measured.status == 74 && measured.errors.contains("name them with --data and --part"), "\(measured.errors)")
    let other = try Invocation("train", "--resume", run, "--epochs", "4", "--data", "csv:\(plants)")
    #expect(other.status == 65, "\(other.errors)")
    let kind = try Invocation("train", "--resume", run, "--epochs", "4", "--data", "synthetic")
    #expect(kind.status == 65 && kind.errors.contains("its data is \"csv:houses.csv\""), "\(kind.errors)")
    let rest = try Invocation("train", "--resume", run, "--epochs", "4", "--data", "csv:\(houses)", "--json")
    #expect(rest.status == 0 && !rest.errors.contains("already"), "\(rest.errors)")
    let again = try Invocation("train", "--resume", run, "--epochs", "4", "--data", "csv:\(houses)", "--json")
    #expect(again.status == 0 && again.errors.contains("steps already: --epochs or --steps"), "\(again.errors)")
    let whole = try train([
      "mlp", "--data", "csv:\(houses)", "--batch-size", "16", "--epochs", "4", "--output", scratch.file("whole"),
    ])
    #expect(try rest.member("weights_sha256", as: String.self) == whole.member("weights_sha256"))
  }

  /// Evaluation warns if the table has changed, because the rows that are held out now may be rows that the model was
  /// trained with.
  @Test func changedDataAreNoticed() throws {
    let (_, path) = try model(houses, "changed", epochs: 2)
    let same = try Invocation("evaluate", path, "--device", "cpu")
    #expect(same.status == 0 && !same.errors.contains("has changed"), "\(same.errors)")
    var rows = try String(contentsOfFile: houses, encoding: .utf8).split(separator: "\n").map(String.init)
    // One row replaces another, so the number of rows stays the same.
    rows[3] = rows[4]
    _ = try scratch.write(Array(rows.joined(separator: "\n").utf8), to: "houses.csv")
    let other = try Invocation("evaluate", path, "--device", "cpu")
    #expect(other.status == 0 && other.errors.contains("csv:\(houses) has changed since"), "\(other.errors)")
    let whole = try Invocation("evaluate", path, "--part", "train", "--device", "cpu")
    #expect(whole.status == 0 && !whole.errors.contains("has changed"), "\(whole.errors)")
    try FileManager.default.removeItem(atPath: houses)
    let lost = try Invocation("evaluate", path, "--device", "cpu")
    #expect(lost.status == 74 && lost.errors.contains("name them with --data and --part"), "\(lost.errors)")
  }

  @Test(arguments: ["one-hot", "codes"]) func numbersArePredicted(_ categories: String) throws {
    let (run, path) = try model(houses, categories, ["--categories", categories, "--missing-indicators"])
    #expect(try run.member("task") == "regression" && run.member("target") == "price")
    let measured = try Invocation("evaluate", path, "--device", "cpu", "--json")
    #expect(measured.status == 0, "\(measured.errors)")
    let r2 = try #require(try measured.member("r2", as: Double.self))
    #expect(r2 > 0.97, "\(r2)")
    let (loss, root) = (
      try measured.member("test_loss", as: Double.self), try measured.member("root_mean_squared_error", as: Double.self)
    )
    // Errors are in the units of the target, whose standard deviation is about 140,000, and losses are in the square of
    // these units.
    #expect(root! > 500 && root! < 30_000 && abs(root! * root! / loss! - 1) < 1e-9)
    #expect(abs(try #require(try run.member("test_loss", as: Double.self)) / loss! - 1) < 1e-4)
    let last = try #require(try run.member("train_loss", as: Double.self)).squareRoot()
    #expect(last > 100 && last < 40_000, "\(last)")
    let (mean, median, largest) = (
      try measured.member("mean_absolute_error", as: Double.self),
      try measured.member("median_absolute_error", as: Double.self),
      try measured.member("maximum_error", as: Double.self)
    )
    #expect(median! < largest! && mean! <= root! && root! <= largest!)
    let text = try Invocation("evaluate", path, "--device", "cpu")
    #expect(text.output.contains("R²") && text.output.contains("32 test rows of"), "\(text.output)")

    // This table has its columns in another order and no target. One town is unknown, and one row has missing values.
    let fresh = try scratch.write(Array("age,area,town\n10,110,Kiel\n10,110,Rome\n,110,\n".utf8), to: "fresh.csv")
    let seen = try Invocation("predict", path, fresh, "--device", "cpu", "--json")
    #expect(seen.status == 0 && seen.lines.count == 4, "\(seen.errors)")
    let first = try JSONSerialization.jsonObject(with: Data(seen.lines[0].utf8)) as? [String: Any]
    let value = try #require(first?["value"] as? Double)
    #expect(abs(value - 1_345_000) < 40_000 && first?["line"] as? Int == 2, "\(seen.output)")
    #expect(try seen.member("examples") == 3)
    let plain = try Invocation("predict", path, fresh, "--device", "cpu")
    #expect(plain.lines.first?.hasPrefix("\(fresh) line 2: 13") == true, "\(plain.output)")

    let plot = try Invocation("plot", path, "--device", "cpu")
    #expect(plot.status == 0 && plot.errors.isEmpty, "\(plot.errors)")
    let files = Set(try FileManager.default.contentsOfDirectory(atPath: "\(path)/plots"))
    #expect(files.isSuperset(of: ["residuals.svg", "predicted.svg", "errors.svg", "weights.svg", "graph.svg"]))
    #expect(!files.contains("saliency.svg") && !files.contains("confusion-matrix.svg"))
    for (words, message) in [
      (["errors", path], "mlp is a regression model"), (["evaluate", path, "--top-k", "2"], "is for classifiers"),
    ] {
      let run = try Invocation(words)
      #expect(run.status == 64 && run.errors.contains(message), "\(run.errors)")
    }
    let summary = try Invocation("summary", path, "--json")
    #expect(try summary.member("output") == [1], "\(summary.errors)")
  }

  @Test func classesArePredicted() throws {
    let (run, path) = try model(
      plants, "plants", ["--validation", "0.1", "--class-weights", "balanced", "--label-smoothing", "0.05"])
    #expect(try run.member("task") == "classification")
    #expect(try run.member("validation_accuracy", as: Double.self) != nil)
    let measured = try Invocation("evaluate", path, "--device", "cpu", "--json")
    #expect(try measured.member("validation_accuracy", as: Double.self) ?? 0 > 0.8, "\(measured.errors)")
    #expect(try measured.member("examples") == 16 && measured.member("test_accuracy", as: Double.self) == nil)
    let last = try Invocation("evaluate", path, "--part", "test", "--device", "cpu", "--json")
    #expect(try last.member("test_accuracy", as: Double.self) == run.member("test_accuracy"), "\(last.errors)")
    let fresh = try scratch.write(
      Array("width,height,color,kind\n1,2,green,whatever\n1,9,red,?\n".utf8), to: "fresh.csv")
    let seen = try Invocation("predict", path, fresh, "--device", "cpu")
    #expect(seen.status == 0, "\(seen.errors)")
    #expect(
      seen.lines.count == 2 && seen.lines[0].contains("line 2: moss (") && seen.lines[1].contains("line 3: tree ("))

    let wrong = try scratch.write(
      Array(
        (["height,width,color,kind"] + (0..<40).map { "2,1,green,\($0 % 2 == 0 ? "tree" : "shrub")" })
          .joined(separator: "\n").utf8), to: "wrong.csv")
    let errors = try Invocation("errors", path, "--data", "csv:\(wrong)", "--device", "cpu")
    #expect(errors.status == 0 && errors.output.contains("40 rows of"), "\(errors.errors)")
    #expect(errors.output.contains("line ") && errors.output.contains("moss"), "\(errors.output)")
    let plot = try Invocation("plot", path, "--device", "cpu")
    #expect(plot.status == 0, "\(plot.errors)")
    let files = Set(try FileManager.default.contentsOfDirectory(atPath: "\(path)/plots"))
    #expect(files.contains("confusion-matrix.svg") && !files.contains("residuals.svg"))

    let cow = try scratch.write(
      Array(
        (["height,width,color,kind"] + (0..<40).map { "2,1,green,\($0 % 2 == 0 ? "cow" : "moss")" })
          .joined(separator: "\n").utf8), to: "cow.csv")
    let unknown = try Invocation("evaluate", path, "--data", "csv:\(cow)", "--device", "cpu")
    #expect(unknown.status == 65 && unknown.errors.contains("it has a class \"cow\""), "\(unknown.errors)")
  }

  @Test func columnsHaveToFit() throws {
    let (_, path) = try model(houses, "run", epochs: 1)
    let cases: [(String, String)] = [
      ("age,area\n1,2\n", "it lacks column \"town\""),
      ("age\n1\n", "it lacks columns \"area\", \"town\""),
      ("age,area,town,garden,floor\n1,2,Ulm,3,4\n", "the model does not know its columns \"garden\", \"floor\""),
      ("age,area,town\nold,2,Ulm\n", "\"old\" in the column \"age\" is not a number"),
      ("age,area,town\n1,2\n", "2 fields"),
      ("age,area,town\n1e300,2,Ulm\n", "too large"),
    ]
    for (text, message) in cases {
      let file = try scratch.write(Array(text.utf8), to: "other.csv")
      let seen = try Invocation("predict", path, file, "--device", "cpu")
      #expect(seen.status == 65 && seen.errors.contains(message), "\(text): \(seen.status) \(seen.errors)")
    }
    let none = try Invocation("evaluate", path, "--data", "csv:\(plants)", "--device", "cpu")
    #expect(none.status == 65 && none.errors.contains("it lacks columns"), "\(none.errors)")
    let images = try Invocation("evaluate", path, "--data", "synthetic", "--device", "cpu")
    #expect(images.status == 65 && images.errors.contains("it has images, but the model needs table rows"))
  }

  /// Ignored columns may be absent when the model is used, and files need no header.
  @Test func ignoredColumnsAndFilesWithoutHeader() throws {
    let (_, path) = try model(houses, "few", epochs: 1, ["--ignore-columns", "town,age"])
    for text in ["area\n50\n", "town,area\nRome,50\n", "area,price\n50,1\n"] {
      let seen = try Invocation("predict", path, scratch.write(Array(text.utf8), to: "few.csv"), "--device", "cpu")
      #expect(seen.status == 0 && seen.lines.count == 1, "\(text): \(seen.errors)")
    }
    let measured = try Invocation("evaluate", path, "--device", "cpu")
    #expect(measured.status == 0 && measured.output.contains("32 test rows"), "\(measured.errors)")
    let strange = try train(["mlp", "--data", "csv:\(houses)", "--ignore-columns", "towns"])
    #expect(strange.status == 65 && strange.errors.contains("towns"), "\(strange.errors)")

    let lines = try String(contentsOfFile: houses, encoding: .utf8).split(separator: "\n").dropFirst()
    let bare = try scratch.write(Array(lines.joined(separator: "\n").utf8), to: "bare.csv")
    let (run, other) = try model(bare, "bare", epochs: 1, ["--no-header", "--ignore-columns", "column 2"])
    #expect(try run.member("target") == "column 4")
    let row = try scratch.write(Array("50,Ulm,3\n".utf8), to: "row.csv")
    let seen = try Invocation("predict", other, row, "--device", "cpu")
    #expect(seen.status == 0 && seen.lines.count == 1, "\(seen.errors)")
    let whole = try Invocation("evaluate", other, "--data", "csv:\(bare)", "--part", "all", "--device", "cpu")
    #expect(whole.status == 0 && whole.output.contains("160 rows"), "\(whole.output) \(whole.errors)")
  }

  /// A resumed run ends with the same bits as an uninterrupted run.
  @Test func resumedRunsHaveTheSameBits() throws {
    let words = [
      "--layers", "dense 8, dropout 0.2, tanh, dense 1", "--data", "csv:\(houses)", "--categories", "codes",
      "--scaling",
      "minmax", "--missing", "median", "--schedule", "constant", "--batch-size", "16", "--train-count", "100",
    ]
    let whole = try train(words + ["--steps", "12", "--output", scratch.file("whole")])
    #expect(whole.status == 0, "\(whole.errors)")
    #expect(try train(words + ["--steps", "5", "--output", scratch.file("part")]).status == 0)
    let rest = try train(["--resume", scratch.file("part"), "--steps", "12"])
    #expect(try rest.member("weights_sha256", as: String.self) == whole.member("weights_sha256"), "\(rest.errors)")
    let other = try train(["--resume", scratch.file("part"), "--set", "scaling=none"])
    #expect(other.status == 65 && other.errors.contains("its scaling is \"minmax\""), "\(other.errors)")
    let again = try train(["--config", scratch.file("whole") + "/config.json", "--output", scratch.file("again")])
    #expect(try again.member("weights_sha256", as: String.self) == whole.member("weights_sha256"), "\(again.errors)")
    // Changes the rows, so that the run can no longer be resumed.
    let text = try String(contentsOfFile: houses, encoding: .utf8)
    try text.replacing("Kiel", with: "Jena")
      .write(toFile: houses, atomically: true, encoding: .utf8)
    let changed = try train(["--resume", scratch.file("part"), "--steps", "12"])
    #expect(
      changed.status == 65 && changed.errors.contains("differ from the data it was trained with"), "\(changed.errors)")
  }

  @Test func mistakes() throws {
    let damaged = try scratch.write(Array("a,b,y\n1,2,3\n4,5\n".utf8), to: "damaged.csv")
    let short = try scratch.write(Array("a,y\n1,2.5\n".utf8), to: "short.csv")
    let csv = ["--data", "csv:\(houses)"]
    let cases: [([String], Int32, String)] = [
      (["mlp", "--target", "price", "--data", "synthetic"], 64, "--target is for tables, but synthetic is images"),
      (["mlp", "--missing-indicators", "--data", "nothing"], 64, "nothing"),
      (["mlp", "--image-size", "8"] + csv, 64, "--image-size is for images"),
      (["mlp", "--test-share", "0"] + csv, 64, "no other rows to test with"),
      (["mlp", "--scaling", "log"] + csv, 64, "--scaling"),
      (["mlp", "--class-weights", "balanced"] + csv, 64, "--class-weights is for classes, but the target \"price\""),
      (["mlp", "--label-smoothing", "0.1"] + csv, 64, "--label-smoothing is for classes"),
      (["mlp", "--classes", "3"] + csv, 64, "--classes is for classes"),
      (["mlp", "--target", "pric"] + csv, 65, "it has no column \"pric\""),
      (["mlp", "--target", "town", "--task", "regression"] + csv, 65, "is not a number but"),
      (["mlp", "--target", "town"] + csv, 65, "the target \"town\" is missing"),
      (["resnet18"] + csv, 65, "a chain of dense layers"),
      (["lenet5"] + csv, 65, "needs images"),
      (["lstm"] + csv, 65, "rows needs images"),
      (["char-lstm"] + csv, 65, "it has table rows, but the model needs text"),
      (["--layers", "dense 4, relu"] + csv, 65, "the last layer must be dense 1"),
      (["mlp", "--data", "csv:\(damaged)"], 65, "line 3"),
      (["mlp", "--data", "csv:\(short)"], 65, "are too few to hold some out"),
      (["mlp", "--data", "csv:/nowhere.csv"], 74, "/nowhere.csv"),
    ]
    for (words, status, message) in cases {
      let run = try train(words + ["--steps", "1", "--output", scratch.file("mistake")])
      #expect(run.status == status && run.errors.contains(message), "\(words): \(run.status) \(run.errors)")
    }
  }
}
