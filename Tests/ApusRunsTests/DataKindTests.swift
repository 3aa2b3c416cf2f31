import Apus
import ApusTestSupport
import Testing

@testable import ApusRuns

/// A kind of data that Apus does not have: points of a line with a given slope.
private struct PointFormat: DataFormat {
  static let key = "points"
  let slope: Double

  static func serves(_ settings: RunSettings) -> Bool { settings.data.hasPrefix("test-points:") }

  static func load(
    _ settings: RunSettings, tokenizer: (any Tokenizer)?,
    willLoad: (_ format: any DataFormat, _ count: Int) throws -> Void
  ) throws -> LearningTask {
    let format = PointFormat(slope: Double(settings.data.dropFirst(12)) ?? 0)
    try willLoad(format, 64)
    return LearningTask(format: format, train: Points(slope: format.slope), test: Points(slope: format.slope))
  }

  init(slope: Double) { self.slope = slope }

  init?(_ json: JSON?) {
    guard let slope = json?.number else { return nil }
    self.slope = slope
  }

  var json: JSON { .number(slope) }
  var outputs: ModelOutputs { .number(target: "y", mean: 0, deviation: 1) }
  var examplesName: String { "points" }
  var summary: String { "points" }

  func input(_ settings: RunSettings) -> ModelSummary.Input { ModelSummary.Input([1]) }
  func model(_ settings: RunSettings) throws -> any Layer { Sequential { Linear(1, 1) } }

  func plannedExamples(
    _ count: Int, _ settings: RunSettings, upload: PlannedExamples.Upload
  ) -> (inputs: Tensor, targets: Tensor) {
    (upload([count, 1], .float32), upload([count, 1], .float32))
  }

  func examples(_ request: DataRequest, _ settings: RunSettings) throws -> MeasuredData {
    let (part, points) = try request.choose { $0 == .test ? Points(slope: slope) : nil }
    return MeasuredData(source: request.source, part: part, examples: points, format: self)
  }

  func predict(
    _ files: [String], _ settings: RunSettings, threshold: Double?, model: () throws -> any Layer,
    _ body: (FilePrediction) throws -> Void
  ) throws {}
}

private struct Points: ExampleSource {
  let slope: Double
  let count = 64

  func examples(_ numbers: [Int32]) -> (inputs: Tensor, targets: Tensor) {
    let x = (Tensor(numbers) / 32 - 1).reshaped(to: [numbers.count, 1])
    return (x, x * slope + 0.5)
  }
}

@Suite struct DataKindTests {
  /// A program can add a data set and a kind of data. Runs on this data are trained, stored, resumed and measured like
  /// other runs.
  @Test func programsAddKindsAndSets() throws {
    DataKinds.register(PointFormat.self)
    DatasetDescription.register(
      .other(named: "test-points", argument: "SLOPE", summary: "points of a line", examples: "points"))
    let scratch = try ScratchDirectory()
    let settings = try RunSettings(
      "mlp", ["data": "test-points:3", "epochs": 60, "batch_size": 16, "optimizer": "sgd", "learning_rate": 0.3])
    let (run, result) = try Run.train(settings, output: scratch.path + "/run")
    #expect(result.steps == 240)
    let measured = try run.evaluate()
    #expect(measured.part == .test && measured.count == 64)
    #expect(measured.loss < 1e-6, "\(measured.loss)")
    #expect(try #require(measured.numbers).targets.count == 64)
    let (longer, _) = try run.resume(["epochs": 61])
    #expect((longer.format as? PointFormat)?.slope == 3)
    #expect(DatasetDescription.all.contains { $0.source == "test-points:SLOPE" })
  }

  /// The kinds have different keys, and none of them restores a format from missing JSON, or from JSON that no format
  /// writes.
  @Test func kindsAreDistinct() {
    let keys = DataKinds.all.map { $0.key }
    #expect(Set(keys).count == keys.count && Set(keys).isSuperset(of: ["images", "table", "text"]))
    for kind in DataKinds.all {
      #expect(kind.init(nil) == nil && kind.init(.null) == nil)
      #expect(kind.init("points") == nil)
    }
  }
}
