import Apus

/// What a trained model does with the test data.
struct Examination {
  let model: any Layer
  let device: ComputeDevice
  let format: DataFormat
  let source: String
  let parameterCount: Int
  /// Of classifiers.
  let results: ClassificationResults?
  /// Of models that predict numbers.
  let regression: RegressionReport?
  /// The names of the classes, as many as the model has outputs.
  let classNames: [String]
  private let test: any ExampleSource

  /// More examples are not looked at: a page is to be made in a moment.
  static let limit = 20_000
  private static let batchSize = 256

  /// Reads the data and runs the model over them, on the current device.
  init(_ stored: StoredModel, data source: String, device: ComputeDevice) throws {
    self.device = device
    self.source = source
    model = try stored.load()
    let data = try stored.data(of: source)
    (test, format) = (data.test, data.format)
    parameterCount = model.parameters.reduce(0) { $0 + $1.shape.elementCount }
    guard data.format.isClassifier else {
      (results, classNames) = (nil, [])
      if case .table = data.format {
        let predictions = try predict(
          model, on: test, objective: data.format.objective, batchSize: Examination.batchSize)
        regression = try RegressionReport(predictions, data.format)
      } else {
        regression = nil
      }
      return
    }
    regression = nil
    let first = FirstExamples(source: test, count: min(test.count, Examination.limit))
    let results = try predict(model, on: first, batchSize: Examination.batchSize).classification()
    self.results = results
    classNames = (0..<results.classCount).map { data.format.className($0) }
  }

  /// The number of test examples, and of those that were looked at.
  var counts: (all: Int, examined: Int) {
    (test.count, regression?.results.count ?? min(test.count, Examination.limit))
  }

  /// Some examples, as the model takes them.
  func inputs(_ examples: [Int]) throws -> Tensor { try test.examples(examples.map { Int32($0) }).inputs }

  /// The first examples, for statistics of what layers give.
  var sample: Tensor {
    get throws { try inputs(Array(0..<min(test.count, 64))) }
  }

  // MARK: - Pictures

  /// Examples as pictures; `nil` where they are none.
  func pictures(_ examples: [Int]) throws -> [Image]? {
    guard case .images(let images) = format else { return nil }
    let (channels, height, width) = (images.size[0], images.size[1], images.size[2])
    let area = height * width
    var values = try inputs(examples).array(of: Float.self)
    // Back from what the model sees to what was in the file.
    for place in values.indices {
      let channel = place / area % channels
      let deviation = images.statistics.standardDeviation[channel]
      values[place] = values[place] * Float(deviation > 0 ? deviation : 1) + Float(images.statistics.mean[channel])
    }
    return examples.indices.map { index in
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
  /// The examples that are taken for another class, those with the largest probability for it first.
  var mistakes: [Int] {
    let wrong = labels.indices.filter { labels[$0] != predicted[$0] }
    let shares = wrong.map { probability($0) }
    return wrong.indices.sorted { (shares[$1], wrong[$0]) < (shares[$0], wrong[$1]) }.map { wrong[$0] }
  }

  /// The probability of the predicted class of an example.
  func probability(_ example: Int) -> Float { probabilities[example * classCount + Int(predicted[example])] }
}
