import Apus
import ApusRuns

enum PredictCommand: Command {
  static let name = "predict"
  static let summary = "predict the class of images or texts, or the target of a table's rows"
  static let run = Argument.run
  static let files = Argument(
    .file, repeats: true,
    help:
      "PNG or JPEG images, or IDX files of images, plain or .gz; for models of text, files with one text a line; for "
      + "models of tables, CSV files")
  static let device = RunOptions.device
  static let threshold = EvaluateCommand.threshold
  static let tiles = Option(
    "tile-overlap", .tileOverlap,
    help: "cut images into tiles of the model's input size that overlap by at least N pixels instead of resizing; "
      + "the class is the one with the largest mean probability over the tiles")
  static let output = Option(
    "output", .folder,
    help: "with --tile-overlap: the folder for copies of the images, overlaid with the probability of their class")
  static let json = Flag("json", help: "print one JSON object for each image, line or row, then one for all")
  static let declarations = [
    run.declaration, files.declaration, device.declaration, threshold.declaration, tiles.declaration,
    output.declaration, json.declaration,
  ]

  static func run(_ arguments: Arguments) throws {
    let stored = try Run(at: arguments[run]!)
    try stored.checkClassifier([threshold.declaration], arguments)
    if let overlap = arguments[tiles] { return try predictTiles(stored, overlap: overlap, arguments) }
    if arguments.contains(output.declaration) { throw OptionError("--output needs --tile-overlap") }
    if case .language = stored.settings.model.kind {
      throw OptionError("\(stored.settings.model.name) is a language model; try apus generate")
    }
    let device = try ComputeDevice.chosen(by: arguments[device])
    var count = 0
    try withDevice(device) {
      try stored.predict(arguments.all(files), threshold: arguments[threshold]) { prediction in
        try write(prediction, hasLines: stored.format is TextFormat, isJSON: arguments[json])
        count += 1
      }
    }
    guard arguments[json] else { return }
    var line = summary(count, stored, device)
    if let table = stored.format as? TableFormat { line["target"] = .string(table.target) }
    try StandardOutput.write(.object(line))
  }

  /// The summary that is printed after all predictions.
  static func summary(_ count: Int, _ stored: Run, _ device: ComputeDevice) -> JSONObject {
    [
      "model": .string(stored.settings.model.name), "device": .string(device.name), ResultKey.examples: .integer(count),
      "checkpoint": .string(stored.checkpoint.path),
    ]
  }

  /// - Parameter hasLines: whether each example is one line of its file.
  private static func write(_ prediction: FilePrediction, hasLines: Bool, isJSON: Bool) throws {
    guard isJSON else {
      let line = prediction.line ?? (hasLines ? prediction.index.map { $0 + 1 } : nil)
      let location = line.map { " line \($0)" } ?? prediction.index.map { " \($0)" } ?? ""
      let result =
        prediction.value.map(RegressionReport.text)
        ?? "\(prediction.name ?? "") (\((prediction.probability ?? 0).text(places: 4)))"
      return try StandardOutput.write(line: "\(prediction.file)\(location): \(result)")
    }
    var object: JSONObject = ["file": .string(prediction.file), "index": .integer(prediction.index ?? 0)]
    object["line"] = prediction.line.map { .integer($0) }
    object["value"] = prediction.value.map { .number($0) }
    object[ResultKey.label] = prediction.label.map { .integer($0) }
    object[ResultKey.className] = prediction.name.map { .string($0) }
    object["probability"] = prediction.probability.map { .number($0) }
    try StandardOutput.write(.object(object))
  }
}

extension ValueKind<Int> {
  /// The smallest number of pixels that neighboring tiles share. `Run.tileFormat` checks that it is less than the
  /// height and the width of a tile.
  fileprivate static let tileOverlap = ValueKind(
    "N", expectation: nonNegativeCount(upTo: 100_000).expectation, parse: nonNegativeCount(upTo: 100_000).parse)
}
