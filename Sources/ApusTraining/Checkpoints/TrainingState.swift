import ApusSystem
import ApusData
import ApusTensor

/// The progress of a run: everything in a checkpoint except the tensors.
public struct TrainingState: Hashable, Sendable {
  /// The number of finished steps.
  public var step = 0
  /// The number of training examples. This number, `batchSize` and `seed` determine the batches of every epoch. With
  /// sampling that balances the classes, the batches also depend on the labels.
  public var exampleCount: Int
  /// The number of examples in a batch.
  public var batchSize: Int
  /// The seed that determines the order of the examples.
  public var seed: UInt64
  /// The random key that layers use next.
  public var randomKey: RandomKey
  /// The name of the optimizer's update rule.
  public var optimizer: String
  /// The settings that the program needs to resume the run: model, data, options.
  public var configuration: JSONObject

  /// The running mean of the examples' losses since the epoch began.
  var epochLoss = RunningMean()
  /// The running mean of the losses in the current window of the metrics.
  var windowLoss = RunningMean()
  /// The running means of the training measures since the epoch began, by name.
  var epochMeasures: [String: RunningMean] = [:]
  /// The value of `seconds` when the epoch began.
  var epochStart = 0.0
  /// The newest results on each split of the data.
  public var results = RunResults()
  /// The newest step whose loss was read from the device.
  var lastStep: MeasuredStep?
  /// The numbers that observers store in checkpoints (`TrainingObserver.memory`), by the key of the observer.
  var observerMemory: [String: [Double]] = [:]
  /// The state of a learning-rate schedule that depends on a metric.
  var scheduleMemory: [Double] = []
  /// The seconds spent in training, over all sessions: the first one and those that resumed the run.
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

/// A mean over examples, which is accumulated batch by batch.
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
    object["train_loss"] = results.train.map { .number($0.loss) }
    object["test_loss"] = results.test.map { .number($0.loss) }
    object["test_accuracy"] = results.test?.accuracy.map { .number($0) }
    object["validation_loss"] = results.validation.map { .number($0.loss) }
    object["validation_accuracy"] = results.validation?.accuracy.map { .number($0) }
    object.set("epoch_measures", epochMeasures.mapValues(\.json))
    if epochStart != 0 { object["epoch_start"] = .number(epochStart) }
    object.set("train_measures", (results.train?.all ?? [:]).mapValues { .number($0) })
    object.set("test_measures", (results.test?.measures ?? [:]).mapValues { .number($0) })
    object.set("validation_measures", (results.validation?.measures ?? [:]).mapValues { .number($0) })
    if !scheduleMemory.isEmpty { object["schedule_memory"] = .array(scheduleMemory.map { .number($0) }) }
    object["last_step"] = lastStep?.json
    object.set("observer_memory", observerMemory.mapValues { .array($0.map { .number($0) }) })
    return object
  }

  /// The largest count that a file may contain. 64 bits are enough for the sum of many such counts, and for the product
  /// of a count with a number below 2¹⁵.
  static let countLimit = 1 << 48
  /// The maximum number of values in a schedule's state.
  private static let memoryLimit = 64
  /// The maximum number of values in an observer's memory.
  static let observerMemoryLimit = 1024
  /// The maximum number of observers with a memory.
  private static let observerLimit = 1024

  /// - Returns: `nil` when a required member is missing, has the wrong type or is out of range, or when the memory of
  ///   the schedule or of an observer has too many or invalid values.
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
    guard memory.count <= TrainingState.memoryLimit, memory.allSatisfy({ $0.number != nil }),
      let observerMemory = TrainingState.observerMemory(object["observer_memory"])
    else { return nil }
    self.init(
      exampleCount: exampleCount, batchSize: batchSize, seed: UInt64(bitPattern: Int64(seed)),
      randomKey: RandomKey(
        seed: UInt64(bitPattern: Int64(keySeed)), counter: UInt64(bitPattern: Int64(keyCounter))),
      optimizer: optimizer, configuration: configuration)
    self.step = step
    self.epochLoss = epochLoss
    self.windowLoss = windowLoss
    for split in DataSplit.allCases { results[split] = SplitMetrics(object, split) }
    lastStep = MeasuredStep(object["last_step"])
    self.observerMemory = observerMemory
    scheduleMemory = memory.compactMap(\.number)
    epochMeasures = object.members("epoch_measures") { RunningMean($0) }
    epochStart = object["epoch_start"]?.number ?? 0
    self.seconds = seconds
    self.metricsByteCount = metricsByteCount
  }

  /// Reads the value of `observerMemory` from the member of a state file; empty when the member is missing, `nil` when
  /// it is malformed.
  private static func observerMemory(_ json: JSON?) -> [String: [Double]]? {
    guard let json else { return [:] }
    guard let object = json.object, object.count <= observerLimit else { return nil }
    var memories: [String: [Double]] = [:]
    for (key, value) in object {
      guard let values = value.array, values.count <= observerMemoryLimit else { return nil }
      let numbers = values.compactMap(\.number)
      guard numbers.count == values.count else { return nil }
      memories[key] = numbers
    }
    return memories
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
    for (name, value) in members.sortedArray(by: { $0.key < $1.key }) { object[name] = value }
    self[key] = .object(object)
  }

  /// The members of the object under `key`, without those for which `read` returns `nil`.
  fileprivate func members<Value>(_ key: String, _ read: (JSON) -> Value?) -> [String: Value] {
    var members: [String: Value] = [:]
    for (name, json) in self[key]?.object ?? [:] { members[name] = read(json) }
    return members
  }
}

extension SplitMetrics {
  /// The results of a split, from the members of a state file; `nil` if the split was not measured.
  fileprivate init?(_ object: JSONObject, _ split: DataSplit) {
    // A loss that is not finite is stored as null.
    guard let loss = object["\(split.rawValue)_loss"], loss == .null || loss.number != nil else { return nil }
    self.init(loss: loss.number ?? .nan, all: object.members("\(split.rawValue)_measures", \.number))
    accuracy = object["\(split.rawValue)_accuracy"]?.number ?? accuracy
  }
}

extension MeasuredStep {
  fileprivate var json: JSON {
    var object: JSONObject = ["step": .integer(step), "loss": .number(loss)]
    object["gradient_norm"] = gradientNorm.map { .number($0) }
    return .object(object)
  }

  fileprivate init?(_ json: JSON?) {
    guard let step = json?["step"]?.count(from: 1), let loss = json?["loss"]?.number else { return nil }
    // A norm that is not finite is stored as null.
    self.init(step: step, loss: loss, gradientNorm: json?["gradient_norm"].map { $0.number ?? .infinity })
  }
}

extension RunningMean {
  fileprivate var json: JSON { ["sum": .number(sum), "count": .integer(count)] }

  fileprivate init?(_ json: JSON?) {
    guard let sum = json?["sum"]?.number, let count = json?["count"]?.count(from: 0) else { return nil }
    self.init(sum: sum, count: count)
  }
}
