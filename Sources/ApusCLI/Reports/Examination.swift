import Apus

/// What a trained model does with the test data.
struct Examination {
  let model: any Layer
  let device: ComputeDevice
  let format: DataFormat
  let source: String
  private let test: any ExampleSource
  /// Of the examples that were looked at, `[count]`; empty where the model is no classifier.
  private(set) var labels: [Int32] = []
  /// `softmax` of the outputs, `[count, classes]`, row-major.
  private(set) var probabilities: [Float] = []
  /// The names of the classes, as many as the model has outputs.
  private(set) var classNames: [String] = []
  let parameterCount: Int

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
    if case .language = stored.settings.model.kind { return }
    try classify()
  }

  /// The number of test examples, and of those that were looked at.
  var counts: (all: Int, examined: Int) { (test.count, labels.count) }

  /// The classes with the largest shares.
  var predicted: [Int] {
    labels.indices.map { example in
      let row = row(example)
      return (row.indices.max { row[$0] < row[$1] } ?? row.startIndex) - row.startIndex
    }
  }

  /// The shares of an example.
  func row(_ example: Int) -> ArraySlice<Float> {
    probabilities[example * classNames.count..<(example + 1) * classNames.count]
  }

  /// Some examples, as the model takes them.
  func inputs(_ examples: [Int]) throws -> Tensor { try test.examples(examples.map { Int32($0) }).inputs }

  /// The first examples, for statistics of what layers give.
  var sample: Tensor { get throws { try inputs(Array(0..<min(test.count, 64))) } }

  /// The last batch is filled up with copies of an example, so that all batches run the same plan.
  private mutating func classify() throws {
    let count = min(test.count, Examination.limit)
    guard count > 0 else { return }
    let size = min(Examination.batchSize, count)
    for start in stride(from: 0, to: count, by: size) {
      let own = min(size, count - start)
      let (inputs, targets) = try test.examples((0..<size).map { Int32($0 < own ? start + $0 : start) })
      let outputs = withMode(.inference) { model(inputs) }
      let shares = try outputs.softmax(axis: 1).array(of: Float.self)
      let classes = shares.count / size
      guard !shares.contains(where: \.isNaN) else { throw ModelError.notFinite }
      if classNames.isEmpty { classNames = (0..<classes).map(className) }
      probabilities += shares.prefix(own * classes)
      labels += try targets.cast(to: .int32).array(of: Int32.self).prefix(own)
    }
  }

  private func className(_ index: Int) -> String {
    switch format {
    case .images(let images): return images.className(index)
    case .text(let text):
      guard let names = text.classNames, index < names.count else { return String(index) }
      return names[index]
    }
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
