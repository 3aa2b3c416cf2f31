import Apus

enum EvaluateCommand: Command {
  static let name = "evaluate"
  static let summary = "measure a trained model on test data"
  static let run = StoredModel.argument
  static let data = Option("data", .dataSource, help: "the data set whose test part is taken (default: the run's)")
  static let device = RunOptions.device
  static let json = Flag("json", help: "print one JSON object")
  static let declarations = [run.declaration, data.declaration, device.declaration, json.declaration]

  static func run(_ arguments: Arguments) throws {
    let stored = try StoredModel(path: arguments[run]!, command: name)
    let source = arguments[data] ?? stored.settings.data
    let device = try ComputeDevice.chosen(by: arguments[device])
    let clock = ContinuousClock()
    let start = clock.now
    let (result, format, digest) = try withDevice(device) {
      let model = try stored.load()
      let (test, format) = try stored.test(of: source)
      let batch = stored.settings.batchSize.count ?? test.count
      let result = try evaluate(model, on: test, objective: stored.settings.model.kind.objective, batchSize: batch)
      return (result, format, try model.state.sha256())
    }
    let measures = LanguageMeasures(result.loss, format)
    let seconds = (clock.now - start) / .seconds(1)
    guard arguments[json] else { return try print(result, measures, stored, source, device) }
    var line: JSONObject = [
      "model": .string(stored.settings.model.name), "device": .string(device.name), "data": .string(source),
      "examples": .integer(result.count), "test_loss": .number(result.loss),
    ]
    line["test_accuracy"] = result.accuracy.map { .number($0) }
    for (key, value) in measures?.json ?? [:] { line[key] = value }
    line["seconds"] = .number(seconds)
    line["weights_sha256"] = .string(digest)
    line["checkpoint"] = .string(stored.checkpoint.path)
    try StandardOutput.write(.object(line))
  }

  private static func print(
    _ result: Evaluation, _ measures: LanguageMeasures?, _ stored: StoredModel, _ source: String,
    _ device: ComputeDevice
  ) throws {
    var rows = [
      ("model", "\(stored.settings.model.name) on \(device.name)"), ("checkpoint", stored.checkpoint.path),
      ("data", "\(result.count.grouped) test \(stored.settings.model.kind.examplesName) of \(source)"),
      ("test loss", result.loss.text(places: 4)),
    ]
    if let accuracy = result.accuracy { rows.append(("test accuracy", accuracy.text(places: 4))) }
    try StandardOutput.write(line: Help.rows(rows + (measures?.rows ?? [])))
  }
}

extension ModelDescription.Kind {
  /// What an example is called, of several.
  fileprivate var examplesName: String {
    switch self {
    case .images: "images"
    case .language: "windows"
    case .texts: "texts"
    }
  }
}
