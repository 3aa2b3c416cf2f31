import Apus

/// The prediction of a model for an image, a text or a row of a table.
public struct FilePrediction: Sendable {
  /// The path of the file.
  public let file: String
  /// The index of the example in its file, from 0; `nil` for a file with one image.
  public let index: Int?
  /// The line of the file in which the row of a table starts, from 1; `nil` for other data.
  public let line: Int?
  /// The index of the predicted class; `nil` for a predicted number.
  public let label: Int?
  /// The name of the predicted class, or its index if it has no name; `nil` for a predicted number.
  public let name: String?
  /// The probability of the predicted class; `nil` for a predicted number.
  public let probability: Double?
  /// The predicted number, in the target's own units; `nil` for a class.
  public let value: Double?
}

extension FilePrediction {
  init(_ location: (file: String, index: Int?), line: Int? = nil, _ prediction: Prediction, name: String) {
    (file, index) = location
    (self.line, value, self.name) = (line, nil, name)
    (label, probability) = (prediction.label, prediction.probability)
  }

  init(_ location: (file: String, index: Int?), line: Int, value: Double) {
    (file, index) = location
    (self.line, self.value) = (line, value)
    (label, name, probability) = (nil, nil, nil)
  }
}

extension Run {
  /// Returns the predictions for all examples, in the order of the files and of the examples in each file.
  /// - Parameters:
  ///   - files: for models of images: PNG, JPEG or IDX files. For models of texts: files with one text per line. For
  ///     models of tables: CSV files.
  ///   - threshold: for two classes: predict the second class if its probability is at least this number.
  public func predict(_ files: [String], threshold: Double? = nil) throws -> [FilePrediction] {
    var found: [FilePrediction] = []
    try predict(files, threshold: threshold) { found.append($0) }
    return found
  }

  /// Calls `body` with the prediction for each example, in the order of the files and of the examples in each file.
  /// Tables, texts and IDX files are read before the first prediction, so that a malformed file is found early.
  public func predict(
    _ files: [String], threshold: Double? = nil, _ body: (FilePrediction) throws -> Void
  ) throws {
    try format.predict(files, settings, threshold: threshold, model: model, body)
  }
}
