import Apus
import ApusRuns
import ApusSystem

extension PredictCommand {
  /// Prints the predictions for images that are cut into tiles. With `--output`, also writes gray copies of the images.
  /// A copy is overlaid with the probability, at each pixel, of the class that is predicted for the image.
  static func predictTiles(_ stored: Run, overlap: Int, _ arguments: Arguments) throws {
    // Errors in the options are found before the folder is created.
    _ = try stored.tileFormat(overlap: overlap)
    let paths = arguments.all(files)
    let maps = try arguments[output].map { try mapPaths($0, paths) }
    let device = try ComputeDevice.chosen(by: arguments[device])
    try withDevice(device) {
      var index = 0
      try stored.predictTiles(paths, overlap: overlap, threshold: arguments[threshold]) { prediction in
        if let map = maps?[index] {
          let bytes = prediction.overlay.pngData()
          try reportingFiles { () throws(FileError) in try AtomicFile.write(bytes, to: map) }
        }
        try write(prediction, map: maps?[index], isJSON: arguments[json])
        index += 1
      }
    }
    if arguments[json] { try StandardOutput.write(.object(summary(paths.count, stored, device))) }
  }

  /// Creates the folder, and returns the path of the output file for each image, `DIR/NAME.png`.
  /// - Throws: `OptionError` if two images have the same name.
  private static func mapPaths(_ folder: String, _ paths: [String]) throws -> [String] {
    let names = paths.map { path in
      let file = path.split(separator: "/").last.map(String.init) ?? path
      return file.lastIndex(of: ".").map { String(file[..<$0]) } ?? file
    }
    if let (name, _) = Dictionary(grouping: names, by: \.self).first(where: { $0.value.count > 1 }) {
      throw OptionError("--output: several images are called \(name)")
    }
    try reportingFiles { () throws(FileError) in try FileSystem.createDirectory(folder) }
    return names.map { "\(folder)/\($0).png" }
  }

  private static func write(_ prediction: TiledImagePrediction, map: String?, isJSON: Bool) throws {
    guard isJSON else {
      let count = prediction.tiles.count.text(of: "tile")
      let probability = prediction.probability.text(places: 4)
      return try StandardOutput.write(line: "\(prediction.file): \(prediction.name) (\(probability)), \(count)")
    }
    var line: JSONObject = [
      "file": .string(prediction.file), ResultKey.label: .integer(prediction.label),
      ResultKey.className: .string(prediction.name), "probability": .number(prediction.probability),
    ]
    line["map"] = map.map { .string($0) }
    line["tiles"] = .array(
      prediction.tiles.map { tile in
        [
          "top": .integer(tile.top), "left": .integer(tile.left), ResultKey.label: .integer(tile.label),
          ResultKey.className: .string(tile.name), "probability": .number(tile.probability),
        ]
      })
    try StandardOutput.write(.object(line))
  }
}
