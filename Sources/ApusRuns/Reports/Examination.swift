import Apus

/// The results of a trained model on examples. A position is the index of an example among the examined ones.
package struct Examination {
  package let model: any Layer
  package let device: ComputeDevice
  package let format: any DataFormat
  package let source: String
  /// The examined split of the source.
  package let part: DataPart
  package let parameterCount: Int
  /// The results of a classifier; `nil` for other models.
  package let results: ClassificationResults?
  /// The positions of the misclassified examples, those with the largest losses first.
  let misclassified: [Int]
  /// The results of a model that predicts numbers; `nil` for other models.
  package let regression: RegressionReport?
  /// The names of the classes, one for each output of a classifier; empty for other models.
  package let classNames: [String]
  /// Images that could not be read.
  package let skipped: SkippedImageReport
  private let data: any ExampleSource
  /// The indices of the examined examples in the data, by position.
  private let numbers: [Int]

  /// The maximum number of examined examples. It limits the time that a report takes.
  package static let limit = 20_000
  private static let batchSize = 256

  /// Runs the model over the data, on the current device.
  package init(_ stored: Run, _ measured: MeasuredData, device: ComputeDevice) throws {
    self.device = device
    (source, part, data, format) = (measured.source, measured.part, measured.examples, measured.format)
    model = try stored.model()
    parameterCount = model.parameters.reduce(0) { $0 + $1.shape.elementCount }
    let first = FirstExamples(source: data, count: min(data.count, Examination.limit))
    let augmented = stored.settings.image.testTimeAugmentation.layer(model)
    let predictions =
      format.isLanguage
      ? nil : try predict(augmented, on: first, objective: format.objective, batchSize: Examination.batchSize)
    skipped = SkippedImageReport(of: [data], stored.settings.image)
    numbers = predictions?.examples ?? Array(0..<first.count)
    results = format.isClassifier ? try predictions?.classification() : nil
    regression = format.isClassifier ? nil : try predictions.flatMap { try RegressionReport($0, measured.format) }
    misclassified = results?.misclassified(losses: predictions?.losses) ?? []
    classNames = (0..<(results?.classCount ?? 0)).map { measured.format.className($0) }
  }

  /// The number of all examples, and the number of the examined ones.
  package var counts: (all: Int, examined: Int) { (data.count, min(data.count, Examination.limit)) }

  /// The name of the examples, in the plural: `test examples`.
  package var examplesName: String {
    part == .all ? "examples" : "\(part == .train ? "training" : part.rawValue) examples"
  }

  /// The inputs of some examples.
  package func inputs(_ positions: [Int]) throws -> Tensor {
    try data.examples(positions.map { Int32(numbers[$0]) }).inputs
  }

  /// The inputs of the first 64 examples, for statistics of the layers' outputs.
  package var sample: Tensor {
    get throws { try inputs(Array(0..<min(numbers.count, 64))) }
  }

  // MARK: - Images

  /// Examples as images; `nil` if they are not images.
  func images(_ positions: [Int]) throws -> [Image]? {
    guard let images = format as? ImageFormat else { return nil }
    let (channels, height, width) = (images.size[0], images.size[1], images.size[2])
    let area = height * width
    var values = try inputs(positions).array(of: Float.self)
    // Inverts the standardization of the inputs.
    for position in values.indices {
      let channel = position / area % channels
      let deviation = images.statistics.standardDeviation[channel]
      values[position] =
        values[position] * Float(deviation > 0 ? deviation : 1) + Float(images.statistics.mean[channel])
    }
    return positions.indices.map { index in
      Image.channels(
        values[index * channels * area..<(index + 1) * channels * area], count: channels, height: height, width: width,
        range: 0...1)
    }
  }
}

/// The first `count` examples of a source.
private struct FirstExamples: ExampleSource {
  package let source: any ExampleSource
  package let count: Int

  package func examples(_ numbers: [Int32]) throws(DataError) -> (inputs: Tensor, targets: Tensor) {
    try source.examples(numbers)
  }

  package func pass(over batches: [[Int32]], from first: Int, epoch: Int?) -> any ExamplePass {
    source.pass(over: batches, from: first, epoch: epoch)
  }
}

extension ClassificationResults {
  /// The probability of the predicted class of an example.
  package func probability(_ example: Int) -> Float { probabilities[example * classCount + Int(predicted[example])] }
}
