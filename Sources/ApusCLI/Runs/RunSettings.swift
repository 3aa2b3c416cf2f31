import Apus

/// The settings of a training run, with all defaults filled in.
struct RunSettings {
  /// The command that uses the settings, for errors.
  let command: String
  var model: ModelDescription
  /// Whether the layers are those of `--layers` instead of the catalog.
  var hasOwnLayers: Bool
  var data: String
  /// `auto` until the device is chosen; `nil` for the device that the environment names.
  var device: String?
  var length: TrainingOptions.Length
  var batchSize: BatchSize
  var optimizer: String
  var learningRate: Double
  var schedule: String
  var warmup: Int?
  var weightDecay: Double
  var precision: Precision
  var clipNorm: Double?
  var clipValue: Double?
  var decaysWeightsOnly: Bool
  var l1: Double?
  var l2: Double?
  var maxNorm: Double?
  var detectsAnomalies: Bool
  var seed: UInt64
  var weights: String?
  var initialization: DataInitialization?
  var replacesHead: Bool
  var classes: Int?
  var saveEvery: Double
  var earlyStop: EarlyStopSettings?
  /// Which checkpoints stay.
  var retention: CheckpointRetention
  /// The examples that the run learns from, and their weights.
  var dataSettings: DataSettings
  /// How images are read and transformed, and which stem the model has.
  var image: ImageSettings
  /// The settings of a table; `nil` if the data are not a table.
  var table: TableSettings?

  /// Takes the values that the arguments do not set from the model's recipe.
  init(_ arguments: Arguments, command: String) throws {
    self.command = command
    model = try .chosen(by: arguments, command: command).changed(by: arguments, command: command)
    let recipe = model.recipe
    hasOwnLayers = arguments[RunOptions.layers] != nil
    data = arguments[RunOptions.data] ?? recipe.data
    device = arguments[RunOptions.device]
    let steps = arguments[RunOptions.steps]
    guard steps == nil || arguments[RunOptions.epochs] == nil else {
      throw UsageError(command: command, message: "--epochs and --steps exclude each other")
    }
    length = steps.map { .steps($0) } ?? .epochs(arguments[RunOptions.epochs] ?? recipe.epochs)
    batchSize = arguments[RunOptions.batchSize] ?? .count(recipe.batchSize)
    optimizer = arguments[RunOptions.optimizer] ?? recipe.optimizer
    learningRate = arguments[RunOptions.learningRate] ?? recipe.learningRate
    schedule = arguments[RunOptions.schedule] ?? recipe.schedule
    warmup = arguments[RunOptions.warmup]
    weightDecay = arguments[RunOptions.weightDecay] ?? 0
    precision = try .chosen(by: arguments[RunOptions.precision], command: command)
    clipNorm = arguments[RunOptions.clipNorm] ?? recipe.clipNorm
    clipValue = arguments[RunOptions.clipValue]
    decaysWeightsOnly = arguments[RunOptions.decayExempt]
    l1 = arguments[RunOptions.l1]
    l2 = arguments[RunOptions.l2]
    maxNorm = arguments[RunOptions.maxNorm]
    detectsAnomalies = arguments[RunOptions.detectAnomaly]
    seed = arguments[RunOptions.seed] ?? 0
    weights = arguments[RunOptions.weights]
    initialization = arguments[RunOptions.initialize].flatMap(DataInitialization.init)
    if initialization != nil, weights != nil {
      throw UsageError(command: command, message: "--initialize and --weights exclude each other")
    }
    replacesHead = arguments[RunOptions.replaceHead]
    guard weights != nil || !replacesHead else {
      throw UsageError(command: command, message: "--replace-head needs --weights")
    }
    classes = arguments[RunOptions.classes]
    if classes != nil, case .language = model.kind {
      throw UsageError(command: command, message: "--classes is for classifiers, \(model.name) is a language model")
    }
    saveEvery = arguments[RunOptions.saveEvery] ?? 60
    (earlyStop, retention) = (try .chosen(by: arguments, command), try .chosen(by: arguments, command))
    dataSettings = try DataSettings(arguments, for: model, command: command)
    image = try ImageSettings(arguments, for: model, command: command)
    table = try .chosen(by: arguments, for: data, command: command)
  }

  /// The settings as a configuration, which reproduces the run when it is given to `--config`.
  var json: JSONObject {
    var object: JSONObject = ["model": .string(model.name)]
    switch model.kind {
    case .images(let network): if hasOwnLayers { object["layers"] = network.layers.map { .string($0.description) } }
    case .language(let network), .texts(let network): object.set(network)
    }
    object["data"] = .string(data)
    object["device"] = device.map { .string($0) }
    switch length {
    case .epochs(let count): object["epochs"] = .integer(count)
    case .steps(let count): object["steps"] = .integer(count)
    }
    object["batch_size"] = batchSize.json
    object["optimizer"] = .string(optimizer)
    object["learning_rate"] = .number(learningRate)
    object["schedule"] = .string(schedule)
    object["warmup"] = warmup.map { .integer($0) }
    object["weight_decay"] = .number(weightDecay)
    if precision != .float32 { object["precision"] = .string(precision.name) }
    object["clip_norm"] = clipNorm.map { .number($0) }
    object["clip_value"] = clipValue.map { .number($0) }
    if decaysWeightsOnly { object["decay_weights_only"] = true }
    object["l1"] = l1.map { .number($0) }
    object["l2"] = l2.map { .number($0) }
    object["max_norm"] = maxNorm.map { .number($0) }
    if detectsAnomalies { object["detect_anomaly"] = true }
    object["seed"] = .integer(Int(seed))
    object["weights"] = weights.map { .string($0) }
    object["initialize"] = initialization.map { .string($0.rawValue) }
    if replacesHead { object["replace_head"] = true }
    object["classes"] = classes.map { .integer($0) }
    object["save_every"] = .number(saveEvery)
    object["early_stop"] = earlyStop.map { .string($0.description) }
    if retention != .usual { object["keep"] = .string(retention.text) }
    object.set(dataSettings)
    object.set(image)
    if let table { object.set(table) }
    return object
  }
}

extension ModelDescription {
  /// The name of a chain of layers for which none was given.
  private static let unnamed = "layers"

  /// The model that the arguments name, or the chain of `--layers` with the recipe of the named model.
  static func chosen(by arguments: Arguments, command: String) throws -> ModelDescription {
    let name = arguments[RunOptions.model]
    guard let text = arguments[RunOptions.layers] else {
      guard let name else {
        throw UsageError(
          command: command,
          message: "MODEL is missing; name one of \(all.map(\.name).joined(separator: ", ")) or write --layers")
      }
      return try find(name)
    }
    let like = all.first { $0.name == name }
    var size = [1, 28, 28]
    switch like?.kind {
    case nil: break
    case .images(let network)?: size = network.inputSize
    case .language?, .texts?:
      throw UsageError(command: command, message: "--layers makes models of images, \(name ?? "") takes text")
    }
    return ModelDescription(
      name: name ?? unnamed, summary: "a chain of layers",
      kind: .images(ImageNetwork(layers: try LayerList(parsing: text), inputSize: size)),
      recipe: like?.recipe ?? Recipe())
  }
}

extension Precision {
  /// The precision with a name; `float32` without one.
  static func chosen(by name: String?, command: String) throws -> Precision {
    guard name != "tf32" else {
      throw UsageError(
        command: command,
        message: "--precision tf32: TF32 is a mode of the tensor cores of NVIDIA's GPUs under CUDA, and none is in use "
          + "here; take float32 or mixed")
    }
    return named.first { $0.key == name }?.value ?? .float32
  }
}
