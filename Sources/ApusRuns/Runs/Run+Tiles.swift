import Apus
import ApusSystem

/// The prediction of a classifier for a large image that was cut into tiles.
public struct TiledImagePrediction: Sendable {
  /// The prediction for one tile.
  public struct Tile: Hashable, Sendable {
    /// The first row of the tile in the image.
    public let top: Int
    /// The first column of the tile.
    public let left: Int
    /// The index of the class with the largest probability.
    public let label: Int
    /// The name of the class.
    public let name: String
    /// The probability of the class.
    public let probability: Double
  }

  /// The path of the image.
  public let file: String
  /// The index of the predicted class: the class with the largest mean probability over the tiles. With a threshold:
  /// class 1 if its mean probability is at least the threshold, else class 0.
  public let label: Int
  /// The name of the class, or its index if it has none.
  public let name: String
  /// The mean probability of the class over the tiles.
  public let probability: Double
  /// The predictions for the tiles, in row-major order.
  public let tiles: [Tile]
  private let image: Image
  private let prediction: TiledPrediction

  init(_ file: String, _ image: Image, _ prediction: TiledPrediction, _ format: ImageFormat, threshold: Double?) {
    (self.file, self.image, self.prediction) = (file, image, prediction)
    let means = prediction.means
    label = threshold.map { means[1] >= $0 ? 1 : 0 } ?? means.indexOfLargest ?? 0
    name = format.className(label)
    probability = means[label]
    tiles = prediction.tiles.origins.enumerated().map { number, origin in
      let own = prediction.probabilities(ofTile: number).map(Double.init)
      let best = own.indexOfLargest ?? 0
      return Tile(
        top: origin.top, left: origin.left, label: best, name: format.className(best), probability: own[best])
    }
  }

  /// The image in gray, overlaid with the probability of the predicted class at each pixel.
  public var overlay: Image { image.overlaid(with: prediction.map(ofClass: label)) }
}

extension Run {
  /// Returns the predictions for large images, which are cut into tiles of the model's input size.
  /// - Parameters:
  ///   - files: PNG and JPEG images.
  ///   - overlap: the smallest number of pixels that neighboring tiles share.
  ///   - threshold: for two classes: predict the second class if its mean probability is at least this number.
  /// - Throws: `OptionError` if the model does not take images, if the overlap is not smaller than a tile, or if there
  ///   is a threshold but not two classes.
  public func predictTiles(
    _ files: [String], overlap: Int, threshold: Double? = nil
  ) throws -> [TiledImagePrediction] {
    var found: [TiledImagePrediction] = []
    try predictTiles(files, overlap: overlap, threshold: threshold) { found.append($0) }
    return found
  }

  /// Calls `body` with the prediction for each image, in the order of the files.
  public func predictTiles(
    _ files: [String], overlap: Int, threshold: Double? = nil, _ body: (TiledImagePrediction) throws -> Void
  ) throws {
    let format = try tileFormat(overlap: overlap)
    let model = settings.image.testTimeAugmentation.layer(try self.model())
    for file in files {
      let image = try Image(contentsOf: file)
      let tiles = ImageTiles(image.size, tile: format.imageSize, overlap: overlap)
      if tiles.count > 1000 { Diagnostics.write("\(file): \(tiles.count.grouped) tiles") }
      let probabilities = try probabilities(of: tiles, of: image, model, format, threshold)
      let prediction = TiledPrediction(tiles, probabilities: probabilities)
      try body(TiledImagePrediction(file, image, prediction, format, threshold: threshold))
    }
  }

  /// The format that prepares tiles. It has no transform, because tiles have the size of the model's inputs.
  /// - Throws: `OptionError` if the model does not take images, or if the overlap is not smaller than a tile.
  package func tileFormat(overlap: Int) throws(OptionError) -> ImageFormat {
    guard let own = format as? ImageFormat else {
      throw OptionError("--tile-overlap is for images, but the model takes \(format.examplesName)")
    }
    guard overlap < min(own.imageSize.height, own.imageSize.width) else {
      throw OptionError(
        "--tile-overlap \(overlap): the overlap must be smaller than a tile, which has the size of the model's inputs, "
          + "\(own.imageSize)")
    }
    return ImageFormat(ImageReading(size: own.size), classNames: own.classNames, statistics: own.statistics)
  }

  /// The probabilities of all tiles, `[tiles, classes]`.
  private func probabilities(
    of tiles: ImageTiles, of image: Image, _ model: any Layer, _ format: ImageFormat, _ threshold: Double?
  ) throws -> [Float] {
    let examples = format.examples(TileSource(tiles, of: image), settings.image)
    let runner = ModelRunner(model: model, count: tiles.count) { try examples.examples($0).inputs }
    var probabilities: [Float] = []
    try runner.runBatches { _, outputs in
      try checkThreshold(threshold, classCount: outputs.count)
      probabilities += ClassificationResults.probabilities(logits: Array(outputs), classes: outputs.count)
    }
    guard !probabilities.contains(where: \.isNaN) else { throw ModelError.notFinite }
    return probabilities
  }
}

extension ImageFormat {
  /// The height and width of an input.
  fileprivate var imageSize: ImageSize { ImageSize(height: size[1], width: size[2]) }
}

/// The tiles of an image as examples without classes. Each tile is cut out when it is read.
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
