import Apus

enum PredictCommand: Command {
  static let name = "predict"
  static let summary = "say what class images or texts are of"
  static let run = StoredModel.argument
  static let files = Argument(
    .file, repeats: true,
    help: "IDX files of images, plain or .gz, such as t10k-images-idx3-ubyte.gz; for models of text, files of lines")
  static let device = RunOptions.device
  static let json = Flag("json", help: "print one JSON object for each image or line, then one for all")
  static let declarations = [run.declaration, files.declaration, device.declaration, json.declaration]

  static func run(_ arguments: Arguments) throws {
    let stored = try StoredModel(path: arguments[run]!, command: name)
    guard case .images(let format) = stored.format else { return try predictTexts(stored, arguments) }
    // All files are read before the first result is printed: a bad one is found early.
    let sets = try arguments.all(files).map { ($0, try format.read($0)) }
    let device = try ComputeDevice.chosen(by: arguments[device])
    var count = 0
    try withDevice(device) {
      let model = try stored.load()
      for (file, images) in sets {
        let loaded = LoadedImages(images, statistics: format.statistics)
        try Classifier(model: model, count: images.count) { loaded.batch($0).images }.run { prediction in
          try write(prediction, file, format.className(prediction.label), arguments[json])
          count += 1
        }
      }
    }
    guard arguments[json] else { return }
    try StandardOutput.write([
      "model": .string(stored.settings.model.name), "device": .string(device.name), "images": .integer(count),
      "checkpoint": .string(stored.checkpoint.path),
    ])
  }

  /// Every line of a file is a text.
  private static func predictTexts(_ stored: StoredModel, _ arguments: Arguments) throws {
    guard case .texts(let network) = stored.settings.model.kind, case .text(let format) = stored.format else {
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
        try classifier.run { prediction in
          let label = format.classNames.map { $0.indices.contains(prediction.label) ? $0[prediction.label] : nil }
          try write(prediction, file, (label ?? nil) ?? String(prediction.label), arguments[json])
          count += 1
        }
      }
    }
    guard arguments[json] else { return }
    try StandardOutput.write([
      "model": .string(stored.settings.model.name), "device": .string(device.name), "texts": .integer(count),
      "checkpoint": .string(stored.checkpoint.path),
    ])
  }

  private static func write(
    _ prediction: Prediction, _ file: String, _ name: String, _ isJSON: Bool
  ) throws {
    guard isJSON else {
      let number = prediction.probability.text(places: 4)
      return try StandardOutput.write(line: "\(file) \(prediction.index): \(name) (\(number))")
    }
    try StandardOutput.write([
      "file": .string(file), "index": .integer(prediction.index), "label": .integer(prediction.label),
      "class": .string(name), "probability": .number(prediction.probability),
    ])
  }
}

extension ImageFormat {
  /// The images of an IDX file: `[height, width]`, `[count, height, width]` or `[count, channels, height, width]`.
  fileprivate func read(_ path: String) throws(DataError) -> ImageSet {
    let array = try IDXArray(path: path)
    let extents = array.extents
    let sizes: [Int]? =
      switch (array.type, extents.count) {
      case (.uint8, 2): [1, 1] + extents
      case (.uint8, 3): [extents[0], 1, extents[1], extents[2]]
      case (.uint8, 4): extents
      default: nil
      }
    guard let sizes else {
      throw .unsupported(
        path: path, format: "IDX", reason: "it holds \(array.type) of rank \(extents.count), not images",
        remedy: "name a file of images: uint8 of sizes [count, height, width]")
    }
    try check(sizes[1], sizes[2], sizes[3], path)
    return ImageSet(
      channels: sizes[1], height: sizes[2], width: sizes[3], pixels: array.bytes,
      labels: [Int32](repeating: 0, count: sizes[0]))
  }
}
