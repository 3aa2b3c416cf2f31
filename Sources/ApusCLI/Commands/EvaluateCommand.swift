import Apus

enum EvaluateCommand: Command {
  static let name = "evaluate"
  static let summary = "measure a trained model on test data"
  static let run = StoredModel.argument
  static let data = Option("data", .dataSource, help: "the data set whose test images are taken (default: the run's)")
  static let device = RunOptions.device
  static let json = Flag("json", help: "print one JSON object")
  static let declarations = [run.declaration, data.declaration, device.declaration, json.declaration]

  static func run(_ arguments: Arguments) throws {
    let stored = try StoredModel(path: arguments[run]!, command: name)
    let source = arguments[data] ?? stored.settings.data
    let device = try ComputeDevice.chosen(by: arguments[device])
    let clock = ContinuousClock()
    let start = clock.now
    let (result, digest) = try withDevice(device) {
      let model = try stored.load()
      let test = try stored.testImages(of: source)
      let batch = stored.settings.batchSize.count ?? test.count
      return (try evaluate(model, on: test, batchSize: batch), try model.state.sha256())
    }
    let seconds = (clock.now - start) / .seconds(1)
    guard arguments[json] else { return try print(result, stored, source, device) }
    var line: JSONObject = [
      "model": .string(stored.settings.model.name), "device": .string(device.name), "data": .string(source),
      "examples": .integer(result.count), "test_loss": .number(result.loss),
    ]
    line["test_accuracy"] = result.accuracy.map { .number($0) }
    line["seconds"] = .number(seconds)
    line["weights_sha256"] = .string(digest)
    line["checkpoint"] = .string(stored.checkpoint.path)
    try StandardOutput.write(.object(line))
  }

  private static func print(
    _ result: Evaluation, _ stored: StoredModel, _ source: String, _ device: ComputeDevice
  ) throws {
    var rows = [
      ("model", "\(stored.settings.model.name) on \(device.name)"), ("checkpoint", stored.checkpoint.path),
      ("data", "\(result.count.grouped) test images of \(source)"),
      ("test loss", result.loss.text(places: 4)),
    ]
    if let accuracy = result.accuracy { rows.append(("test accuracy", accuracy.text(places: 4))) }
    try StandardOutput.write(line: Help.rows(rows))
  }
}

extension StoredModel {
  /// The test images of a source, if they are such as the model takes.
  fileprivate func testImages(of source: String) throws -> LoadedImages {
    let data = try ImageDataset.load(source)
    try images.check(data.test.channels, data.test.height, data.test.width, source)
    guard data.classNames.count <= images.classNames.count else {
      throw DataError.unsupported(
        path: source, format: "image",
        reason: "\(data.classNames.count) classes, the model knows \(images.classNames.count)",
        remedy: "name data with the classes that it was trained for")
    }
    return LoadedImages(data.test, statistics: images.statistics)
  }
}
