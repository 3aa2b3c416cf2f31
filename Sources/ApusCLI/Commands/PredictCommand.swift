import Apus

enum PredictCommand: Command {
  static let name = "predict"
  static let summary = "say what a trained model sees in images"
  static let run = StoredModel.argument
  static let files = Argument(
    .file, repeats: true, help: "IDX files of images, plain or .gz, such as t10k-images-idx3-ubyte.gz")
  static let device = RunOptions.device
  static let json = Flag("json", help: "print one JSON object for each image, then one for all")
  static let declarations = [run.declaration, files.declaration, device.declaration, json.declaration]

  static func run(_ arguments: Arguments) throws {
    let stored = try StoredModel(path: arguments[run]!, command: name)
    // All files are read before the first result is printed: a bad one is found early.
    let sets = try arguments.all(files).map { ($0, try stored.images.read($0)) }
    let device = try ComputeDevice.chosen(by: arguments[device])
    var count = 0
    try withDevice(device) {
      let model = try stored.load()
      for (file, images) in sets {
        try Classifier(model: model, format: stored.images, images: images).run { prediction in
          try write(prediction, file, stored.images, arguments[json])
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

  private static func write(
    _ prediction: Prediction, _ file: String, _ format: ImageFormat, _ isJSON: Bool
  ) throws {
    let name = format.className(prediction.label)
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
