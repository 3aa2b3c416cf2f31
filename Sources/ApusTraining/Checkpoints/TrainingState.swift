import ApusData
import ApusTensor

/// The progress of a run: everything in a checkpoint except the tensors.
public struct TrainingState: Hashable, Sendable {
  /// The number of finished steps.
  public var step = 0
  /// The number of examples. With `batchSize`, `seed` and `step` it determines the position of the sampler.
  public var exampleCount: Int
  /// The number of examples in a batch.
  public var batchSize: Int
  /// The seed of the order of the examples.
  public var seed: UInt64
  /// The random key that layers use next.
  public var randomKey: RandomKey
  /// The name of the optimizer's update rule.
  public var optimizer: String
  /// The settings that the program needs to resume the run: model, data, options.
  public var configuration: JSONObject

  /// The running mean of the examples' losses since the epoch began.
  var epochLoss = RunningMean()
  /// The running mean of the losses since the last line of metrics.
  var windowLoss = RunningMean()
  /// The running means of the training measures since the epoch began, by name.
  var epochMeasures: [String: RunningMean] = [:]
  /// The value of `seconds` when the epoch began.
  var epochStart = 0.0
  /// The mean loss of the last finished epoch.
  public var trainLoss: Double?
  /// The training measures of the last finished epoch, by name: `accuracy`.
  public var trainMeasures: [String: Double] = [:]
  /// The measures of the last evaluation except accuracy, by name.
  public var testMeasures: [String: Double] = [:]
  /// The same measures of the validation examples, if there are any.
  public var validationMeasures: [String: Double] = [:]
  /// The mean loss of the last evaluation, if there was one.
  public var testLoss: Double?
  /// The accuracy in the last evaluation, if there was one.
  public var testAccuracy: Double?
  /// The mean loss over the validation examples, if there are any.
  public var validationLoss: Double?
  /// The accuracy on the validation examples, if there are any.
  public var validationAccuracy: Double?
  /// The state of a learning-rate schedule that depends on a metric.
  var scheduleMemory: [Double] = []
  /// Time spent in training, over all sessions.
  public var seconds = 0.0
  /// The length of the metrics file in bytes.
  var metricsByteCount = 0

  init(
    exampleCount: Int, batchSize: Int, seed: UInt64, randomKey: RandomKey, optimizer: String,
    configuration: JSONObject
  ) {
    self.exampleCount = exampleCount
    self.batchSize = batchSize
    self.seed = seed
    self.randomKey = randomKey
    self.optimizer = optimizer
    self.configuration = configuration
  }
}

/// A mean that is accumulated example by example.
struct RunningMean: Hashable, Sendable {
  var sum = 0.0
  var count = 0

  mutating func add(_ value: Double, count: Int) { add(sum: value * Double(count), count: count) }

  mutating func add(sum: Double, count: Int) {
    self.sum += sum
    self.count += count
  }

  var mean: Double? { count == 0 ? nil : sum / Double(count) }
}

// MARK: - JSON

extension TrainingState {
  var json: JSONObject {
    var object: JSONObject = [
      "step": .integer(step), "example_count": .integer(exampleCount), "batch_size": .integer(batchSize),
      "seed": .integer(Int(bitPattern: UInt(seed))),
      "random_key": [
        "seed": .integer(Int(bitPattern: UInt(randomKey.seed))),
        "counter": .integer(Int(bitPattern: UInt(randomKey.counter))),
      ],
      "optimizer": .string(optimizer), "configuration": .object(configuration),
      "epoch_loss": epochLoss.json, "window_loss": windowLoss.json, "seconds": .number(seconds),
      "metrics_byte_count": .integer(metricsByteCount),
    ]
    object["train_loss"] = trainLoss.map { .number($0) }
    object["test_loss"] = testLoss.map { .number($0) }
    object["test_accuracy"] = testAccuracy.map { .number($0) }
    object["validation_loss"] = validationLoss.map { .number($0) }
    object["validation_accuracy"] = validationAccuracy.map { .number($0) }
    object.set("epoch_measures", epochMeasures.mapValues(\.json))
    if epochStart != 0 { object["epoch_start"] = .number(epochStart) }
    object.set("train_measures", trainMeasures.mapValues { .number($0) })
    object.set("test_measures", testMeasures.mapValues { .number($0) })
    object.set("validation_measures", validationMeasures.mapValues { .number($0) })
    if !scheduleMemory.isEmpty { object["schedule_memory"] = .array(scheduleMemory.map { .number($0) }) }
    return object
  }

  /// The largest count that a file may contain, so that later sums and products with it fit in 64 bits.
  static let countLimit = 1 << 48
  /// The maximum number of values in a schedule's state.
  private static let memoryLimit = 64

  /// - Returns: `nil` when a member is missing, has the wrong type, or is out of range.
  init?(_ object: JSONObject) {
    guard let step = object["step"]?.count(from: 0), let exampleCount = object["example_count"]?.count(from: 1),
      let batchSize = object["batch_size"]?.count(from: 1), let seed = object["seed"]?.integer,
      let keySeed = object["random_key"]?["seed"]?.integer,
      let keyCounter = object["random_key"]?["counter"]?.integer,
      let optimizer = object["optimizer"]?.string, let configuration = object["configuration"]?.object,
      let epochLoss = RunningMean(object["epoch_loss"]),
      let windowLoss = RunningMean(object["window_loss"]), let seconds = object["seconds"]?.number,
      seconds.isFinite, seconds >= 0, let metricsByteCount = object["metrics_byte_count"]?.count(from: 0)
    else { return nil }
    let memory = object["schedule_memory"]?.array ?? []
    guard memory.count <= TrainingState.memoryLimit, memory.allSatisfy({ $0.number != nil }) else { return nil }
    self.init(
      exampleCount: exampleCount, batchSize: batchSize, seed: UInt64(bitPattern: Int64(seed)),
      randomKey: RandomKey(
        seed: UInt64(bitPattern: Int64(keySeed)), counter: UInt64(bitPattern: Int64(keyCounter))),
      optimizer: optimizer, configuration: configuration)
    self.step = step
    self.epochLoss = epochLoss
    self.windowLoss = windowLoss
    trainLoss = object["train_loss"]?.number
    testLoss = object["test_loss"]?.number
    testAccuracy = object["test_accuracy"]?.number
    validationLoss = object["validation_loss"]?.number
    validationAccuracy = object["validation_accuracy"]?.number
    scheduleMemory = memory.compactMap(\.number)
    epochMeasures = object.members("epoch_measures") { RunningMean($0) }
    epochStart = object["epoch_start"]?.number ?? 0
    trainMeasures = object.members("train_measures", \.number)
    testMeasures = object.members("test_measures", \.number)
    validationMeasures = object.members("validation_measures", \.number)
    self.seconds = seconds
    self.metricsByteCount = metricsByteCount
  }
}

extension JSON {
  /// An integer between a lower bound and the largest count; otherwise `nil`.
  fileprivate func count(from least: Int) -> Int? {
    integer.flatMap { (least...TrainingState.countLimit).contains($0) ? $0 : nil }
  }
}

extension JSONObject {
  /// Stores members as an object, sorted by name; does nothing if there are none.
  fileprivate mutating func set(_ key: String, _ members: [String: JSON]) {
    guard !members.isEmpty else { return }
    var object = JSONObject()
    for (name, value) in members.sorted(by: { $0.key < $1.key }) { object[name] = value }
    self[key] = .object(object)
  }

  /// The members of an object for which `read` returns a value.
  fileprivate func members<Value>(_ key: String, _ read: (JSON) -> Value?) -> [String: Value] {
    var members: [String: Value] = [:]
    for (name, json) in self[key]?.object ?? [:] { members[name] = read(json) }
    return members
  }
}

extension RunningMean {
  fileprivate var json: JSON { ["sum": .number(sum), "count": .integer(count)] }

  fileprivate init?(_ json: JSON?) {
    guard let sum = json?["sum"]?.number, let count = json?["count"]?.count(from: 0) else { return nil }
    self.init(sum: sum, count: count)
  }
}
