import Apus

/// What a trained model does with examples. These are told by their places among those that were looked at.
struct Examination {
  let model: any Layer
  let device: ComputeDevice
  let format: DataFormat
  let source: String
  /// Which part of the source is looked at.
  let part: DataPart
  let parameterCount: Int
  /// Of classifiers.
  let results: ClassificationResults?
  /// The places of the examples that are taken for another class, the worst first.
  let mistakes: [Int]
  /// Of models that predict numbers.
  let regression: RegressionReport?
  /// The names of the classes, as many as the model has outputs.
  let classNames: [String]
  /// Pictures that could not be read.
  let skipped: SkippedPictures
  private let data: any ExampleSource
  /// The numbers in the data of those that were looked at.
  private let numbers: [Int]

  /// More examples are not looked at: a page is to be made in a moment.
  static let limit = 20_000
  private static let batchSize = 256

  /// Runs the model over the data, on the current device.
  init(_ stored: StoredModel, _ measured: MeasuredData, device: ComputeDevice) throws {
    self.device = device
    (source, part, data, format) = (measured.source, measured.part, measured.examples, measured.format)
    model = try stored.load()
    parameterCount = model.parameters.reduce(0) { $0 + $1.shape.elementCount }
    let first = FirstExamples(source: data, count: min(data.count, Examination.limit))
    let predictions =
      format.isLanguage
      ? nil : try predict(model, on: first, objective: format.objective, batchSize: Examination.batchSize)
    skipped = SkippedPictures(of: [data], stored.settings.image)
    numbers = predictions?.examples ?? Array(0..<first.count)
    results = format.isClassifier ? try predictions?.classification() : nil
    regression = format.isClassifier ? nil : try predictions.flatMap { try RegressionReport($0, measured.format) }
    mistakes = results?.mistakes(losses: predictions?.losses) ?? []
    classNames = (0..<(results?.classCount ?? 0)).map { measured.format.className($0) }
  }

  /// The number of examples, and of those that were looked at.
  var counts: (all: Int, examined: Int) { (data.count, min(data.count, Examination.limit)) }

  /// What the examples are called, of several: `test examples`.
  var examplesName: String { part == .all ? "examples" : "\(part == .train ? "training" : part.rawValue) examples" }

  /// Some examples, as the model takes them.
  func inputs(_ places: [Int]) throws -> Tensor { try data.examples(places.map { Int32(numbers[$0]) }).inputs }

  /// The first examples, for statistics of what layers give.
  var sample: Tensor {
    get throws { try inputs(Array(0..<min(numbers.count, 64))) }
  }

  // MARK: - Pictures

  /// Examples as pictures; `nil` where they are none.
  func pictures(_ places: [Int]) throws -> [Image]? {
    guard case .images(let images) = format else { return nil }
    let (channels, height, width) = (images.size[0], images.size[1], images.size[2])
    let area = height * width
    var values = try inputs(places).array(of: Float.self)
    // Back from what the model sees to what was in the file.
    for place in values.indices {
      let channel = place / area % channels
      let deviation = images.statistics.standardDeviation[channel]
      values[place] = values[place] * Float(deviation > 0 ? deviation : 1) + Float(images.statistics.mean[channel])
    }
    return places.indices.map { index in
      Image.channels(
        values[index * channels * area..<(index + 1) * channels * area], count: channels, height: height, width: width,
        range: 0...1)
    }
  }
}

/// The first of many examples.
private struct FirstExamples: ExampleSource {
  let source: any ExampleSource
  let count: Int

  func examples(_ numbers: [Int32]) throws(DataError) -> (inputs: Tensor, targets: Tensor) {
    try source.examples(numbers)
  }

  func pass(over batches: [[Int32]], from first: Int, epoch: Int?) -> any ExamplePass {
    source.pass(over: batches, from: first, epoch: epoch)
  }
}

extension ClassificationResults {
  /// The probability of the predicted class of an example.
  func probability(_ example: Int) -> Float { probabilities[example * classCount + Int(predicted[example])] }
}
