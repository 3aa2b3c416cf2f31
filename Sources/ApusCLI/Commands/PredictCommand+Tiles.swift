import Apus
import ApusFiles
import ApusRuns

extension PredictCommand {
  /// Cuts every image into tiles of the model's size, and combines the predictions of the tiles.
  static func predictTiles(
    _ stored: Run, _ format: ImageFormat, overlap: Int, _ arguments: Arguments
  ) throws {
    let size = ImageSize(height: format.size[1], width: format.size[2])
    guard overlap < min(size.height, size.width) else {
      throw OptionError(
        "--tile-overlap \(overlap): tiles have the size of the model's inputs, \(size), and overlap by less")
    }
    let paths = arguments.all(files)
    let maps = try arguments[output].map { try mapPaths($0, paths) }
    // The tiles already have the size of the model's inputs.
    let direct = ImageFormat(
      ImageReading(size: format.size), classNames: format.classNames, statistics: format.statistics)
    let device = try ComputeDevice.chosen(by: arguments[device])
    try withDevice(device) {
      let model = try stored.model()
      for (index, path) in paths.enumerated() {
        let image = try Image(contentsOf: path)
        let tiles = ImageTiles(image.size, tile: size, overlap: overlap)
        if tiles.count > 1000 { Diagnostics.write("\(path): \(tiles.count.grouped) tiles") }
        let examples = direct.examples(TileSource(tiles, of: image), stored.settings.image)
        let runner = ModelRunner(model: model, count: tiles.count) { try examples.examples($0).inputs }
        var probabilities: [Float] = []
        try runner.runBatches { _, outputs in
          try checkThreshold(arguments[threshold], classCount: outputs.count)
          probabilities += ClassificationResults.probabilities(logits: Array(outputs), classes: outputs.count)
        }
        guard !probabilities.contains(where: \.isNaN) else { throw ModelError.notFinite }
        let found = TiledPrediction(tiles, probabilities: probabilities)
        let label = label(of: found.means, threshold: arguments[threshold])
        if let map = maps?[index] {
          let picture = image.overlaid(with: found.map(ofClass: label))
          try reportingFiles { () throws(FileError) in try AtomicFile.write(picture.pngData(), to: map) }
        }
        try write(found, label, format, path, map: maps?[index], arguments[json])
      }
    }
    if arguments[json] { try StandardOutput.write(.object(summary(paths.count, stored, device))) }
  }

  /// The class with the largest probability; with a threshold, class 1 if its probability reaches it.
  private static func label(of probabilities: [Double], threshold: Double?) -> Int {
    if let threshold { return probabilities[1] >= threshold ? 1 : 0 }
    return probabilities.indices.reduce(0) { probabilities[$1] > probabilities[$0] ? $1 : $0 }
  }

  /// The path of the output file for each image, `DIR/NAME.png`. Creates the directory.
  private static func mapPaths(_ directory: String, _ paths: [String]) throws -> [String] {
    let names = paths.map { path in
      let file = path.split(separator: "/").last.map(String.init) ?? path
      return file.split(separator: ".").first.map(String.init) ?? file
    }
    if let (name, _) = Dictionary(grouping: names, by: \.self).first(where: { $0.value.count > 1 }) {
      throw OptionError("--output: several images are called \(name)")
    }
    try reportingFiles { () throws(FileError) in try FileSystem.createDirectory(directory) }
    return names.map { "\(directory)/\($0).png" }
  }

  private static func write(
    _ found: TiledPrediction, _ label: Int, _ format: ImageFormat, _ path: String, map: String?, _ isJSON: Bool
  ) throws {
    let (name, probability) = (format.className(label), found.means[label])
    guard isJSON else {
      let count = "\(found.tiles.count.grouped) \(found.tiles.count == 1 ? "tile" : "tiles")"
      return try StandardOutput.write(line: "\(path): \(name) (\(probability.text(places: 4))), \(count)")
    }
    var line: JSONObject = [
      "file": .string(path), ResultKey.label: .integer(label), ResultKey.className: .string(name),
      "probability": .number(probability),
    ]
    line["map"] = map.map { .string($0) }
    line["tiles"] = .array(
      found.tiles.origins.enumerated().map { number, origin in
        let own = found.probabilities(ofTile: number).map(Double.init)
        let best = PredictCommand.label(of: own, threshold: nil)
        return [
          "top": .integer(origin.top), "left": .integer(origin.left), ResultKey.label: .integer(best),
          ResultKey.className: .string(format.className(best)), "probability": .number(own[best]),
        ]
      })
    try StandardOutput.write(.object(line))
  }
}

/// The tiles of an image, without classes, which are cut out on request.
private struct TileSource: ImageSource {
  let tiles: ImageTiles
  let image: Image
  let labels: [Int32]

  init(_ tiles: ImageTiles, of image: Image) {
    (self.tiles, self.image) = (tiles, image)
    labels = [Int32](repeating: 0, count: tiles.count)
  }

  func image(_ number: Int) -> Image { tiles.tile(number, of: image) }

  func name(of number: Int) -> String { "tile \(number)" }
}
