import Apus

enum PredictCommand: Command {
  static let name = "predict"
  static let summary = "predict the class of images or texts, or the target of a table's rows"
  static let run = StoredModel.argument
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
    "output", .directory,
    help: "with --tile-overlap: the folder for copies of the images, overlaid with the probability of their class")
  static let json = Flag("json", help: "print one JSON object for each image, line or row, then one for all")
  static let declarations = [
    run.declaration, files.declaration, device.declaration, threshold.declaration, tiles.declaration,
    output.declaration, json.declaration,
  ]

  static func run(_ arguments: Arguments) throws {
    let stored = try StoredModel(path: arguments[run]!, command: name)
    try stored.checkClassifier([threshold.declaration], arguments, command: name)
    try checkTiles(arguments, stored.format)
    switch stored.format {
    case .table(let format): try predictRows(stored, format, arguments)
    case .text(let format): try predictTexts(stored, format, arguments)
    case .images(let format):
      if let overlap = arguments[tiles] {
        try predictTiles(stored, format, overlap: overlap, arguments)
      } else {
        try predictImages(stored, format, arguments)
      }
    }
  }

  private static func checkTiles(_ arguments: Arguments, _ format: DataFormat) throws(UsageError) {
    guard arguments.contains(tiles.declaration) else {
      guard arguments.contains(output.declaration) else { return }
      throw UsageError(command: name, message: "--output goes with --tile-overlap")
    }
    if case .images = format { return }
    throw UsageError(command: name, message: "--tile-overlap is for images, the model takes \(format.examplesName)")
  }

  private static func predictImages(_ stored: StoredModel, _ format: ImageFormat, _ arguments: Arguments) throws {
    // Files of many images are read before the first result is printed: a malformed one is found early.
    let sets = try ImageFiles.grouped(arguments.all(files), for: format)
    let device = try ComputeDevice.chosen(by: arguments[device])
    var count = 0
    try withDevice(device) {
      let model = try stored.load()
      for set in sets {
        let examples = format.fitting(set.images).examples(set.images, stored.settings.image)
        let classifier = Classifier(model: model, count: examples.count) { try examples.examples($0).inputs }
        try classifier.run(threshold: arguments[threshold]) { prediction in
          try write(prediction, set.place(of: prediction.index), format.className(prediction.label), arguments)
          count += 1
        }
      }
    }
    if arguments[json] { try StandardOutput.write(.object(summary(count, stored, device))) }
  }

  /// The summary that is printed after all predictions.
  static func summary(_ count: Int, _ stored: StoredModel, _ device: ComputeDevice) -> JSONObject {
    [
      "model": .string(stored.settings.model.name), "device": .string(device.name), ResultKey.examples: .integer(count),
      "checkpoint": .string(stored.checkpoint.path),
    ]
  }

  /// Predicts every line of the files as a text.
  private static func predictTexts(_ stored: StoredModel, _ format: TextFormat, _ arguments: Arguments) throws {
    guard case .texts(let network) = stored.settings.model.kind else {
      throw UsageError(
        command: name, message: "\(stored.settings.model.name) is a language model; try apus generate")
    }
    let files = try arguments.all(files).map { ($0, try LabelledTexts(linesOf: $0)) }
    let device = try ComputeDevice.chosen(by: arguments[device])
    var count = 0
    try withDevice(device) {
      let model = try stored.load()
      for (file, lines) in files {
        let texts = try TokenizedTexts(lines, tokenizer: format.tokenizer, length: network.sequenceLength)
        let classifier = Classifier(model: model, count: lines.count) { texts.batch($0).tokens }
        try classifier.run(threshold: arguments[threshold]) { prediction in
          let label = format.classNames.map { $0.indices.contains(prediction.label) ? $0[prediction.label] : nil }
          let name = (label ?? nil) ?? String(prediction.label)
          try write(prediction, (file, prediction.index), name, arguments)
          count += 1
        }
      }
    }
    if arguments[json] { try StandardOutput.write(.object(summary(count, stored, device))) }
  }

  /// - Parameters:
  ///   - place: the file, and the index of the image or line in it; `nil` if there is only one.
  ///   - line: the line of the file in which a row of a table starts.
  static func write(
    _ prediction: Prediction, _ place: (file: String, index: Int?), _ name: String, _ arguments: Arguments,
    line: Int? = nil
  ) throws {
    guard arguments[json] else {
      let number = prediction.probability.text(places: 4)
      let index = line.map { " line \($0)" } ?? place.index.map { " \($0)" } ?? ""
      return try StandardOutput.write(line: "\(place.file)\(index): \(name) (\(number))")
    }
    var object: JSONObject = ["file": .string(place.file)]
    object["index"] = .integer(place.index ?? 0)
    object["line"] = line.map { .integer($0) }
    object[ResultKey.label] = .integer(prediction.label)
    object[ResultKey.className] = .string(name)
    object["probability"] = .number(prediction.probability)
    try StandardOutput.write(.object(object))
  }
}

extension ValueKind<Int> {
  /// The number of pixels that neighbouring tiles share; less than the size of a tile.
  fileprivate static let tileOverlap = ValueKind(
    "N", expectation: nonNegativeCount(upTo: 100_000).expectation, parse: nonNegativeCount(upTo: 100_000).parse)
}
