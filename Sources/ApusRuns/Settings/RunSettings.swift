import Apus

/// The settings of a training run, with all defaults filled in.
public struct RunSettings: Sendable {
  /// The model with its recipe: the default data, optimizer, learning rate, schedule, batch size, epochs and clipping.
  public private(set) var model: ModelDescription
  /// The layers of `--layers`; `nil` for a model of the catalog.
  public private(set) var ownLayers: String?
  /// The data source, for example `fashion-mnist` or `csv:FILE`.
  public var data: String
  /// The name of the device that the command opens; `nil` stands for the device of `APUS_DEVICE`, or for `auto` if that
  /// variable is not set. The type `Run` ignores this name and uses the current device.
  public var device: String?
  /// The number of epochs or steps.
  public var length: TrainingOptions.Length
  /// The number of examples in a step.
  public var batchSize: BatchSize
  /// The name of the optimizer, one of `optimizerNames`.
  public var optimizer: String
  /// The learning rate of the optimizer, before the schedule.
  public var learningRate: Double
  /// The name of the schedule of the learning rate, one of `scheduleNames`.
  public var schedule: String
  /// The number of steps in which the learning rate rises; `nil` for none.
  public var warmup: Int?
  /// The momentum of the optimizer, for Adam and similar rules β₁; `nil` for the optimizer's own.
  public var momentum: Double?
  /// The coefficient of weight decay.
  public var weightDecay = 0.0
  /// The learning rate of the biases of normalization layers, as a multiple of the learning rate. Their weight decay is
  /// divided by the same number.
  public var normBiasRate = 1.0
  /// The number of steps between two replacements of the weights by their moving average, see `Lookahead`; 0 for no
  /// replacements.
  public var lookahead = 0
  /// The element types in which matrix products and convolutions are computed.
  public var precision = Precision.float32
  /// The global norm to which gradients are clipped; `nil` or 0 for no clipping.
  public var clipNorm: Double?
  /// The magnitude to which each element of the gradients is clipped; `nil` for no clipping.
  public var clipValue: Double?
  /// Whether biases and normalization layers are exempt from weight decay.
  public var decaysWeightsOnly = false
  /// The coefficient of the penalty `Σ |w|` over the elements `w` of parameters with more than one axis; `nil` for no
  /// penalty.
  public var l1: Double?
  /// The coefficient of the penalty `Σ w²` over the elements `w` of parameters with more than one axis; `nil` for no
  /// penalty.
  public var l2: Double?
  /// The maximum norm of the weights into one unit of a layer (max-norm constraint); `nil` for no limit.
  public var maxNorm: Double?
  /// Whether each result is checked for NaN and infinities.
  public var detectsAnomalies = false
  /// The seed of all random numbers except those that split the data, which have a seed of their own
  /// (`dataSettings.split.seed`); below 2⁶³.
  public var seed: UInt64 = 0
  /// The safetensors file, run or checkpoint with the initial weights; `nil` for random ones.
  public var weights: String?
  /// How initial weights are computed from the data; `nil` if they do not depend on the data.
  public var initialization: DataInitialization?
  /// Which parameters are frozen, from the start or after a number of epochs.
  public var freezing: [ParameterFreezing.Rule] = []
  /// Whether the last layer is initialized as in a new model, although `weights` are given.
  public var replacesHead = false
  /// The number of outputs of the last layer; `nil` for the classes of the data.
  public var classes: Int?
  /// The number of seconds between two checkpoints within an epoch. A checkpoint is also written at the end of an epoch
  /// if the previous checkpoint is at least a second old.
  public var saveEvery = 60.0
  /// When the run stops early; `nil` for never.
  public var earlyStop: EarlyStoppingSettings?
  /// Which checkpoints are kept.
  public var retention = CheckpointRetention.default
  /// How the examples of the run are split, sampled and weighted.
  public var dataSettings = DataSettings()
  /// How images are read and transformed, and which stem the model has.
  public var image = ImageSettings()
  /// The target and the encoding of a table. Other data do not use them.
  public var table = TableSettings()

  /// The settings of a model's recipe.
  private init(_ model: ModelDescription, ownLayers: String?) {
    let recipe = model.recipe
    (self.model, self.ownLayers) = (model, ownLayers)
    (data, optimizer, learningRate, schedule) = (recipe.data, recipe.optimizer, recipe.learningRate, recipe.schedule)
    (length, batchSize, clipNorm) = (.epochs(recipe.epochs), .count(recipe.batchSize), recipe.clipNorm)
  }

  /// Creates the settings of a run. Settings that `options` does not contain come from the model's recipe, or else are
  /// the defaults of `apus train`.
  ///
  /// ```swift
  /// let settings = try RunSettings("lenet5", ["data": "synthetic", "epochs": 2, "early_stop": "loss:patience=3"])
  /// ```
  ///
  /// - Parameters:
  ///   - model: a name that `apus models` lists.
  ///   - options: the options of `apus train` by their keys: `--batch-size` is `batch_size`.
  /// - Throws: `ModelError` for an unknown model; `OptionError` for an unknown key, an invalid value or a combination
  ///   that is not allowed.
  public init(_ model: String, _ options: JSONObject = [:]) throws {
    var arguments = Arguments()
    arguments.append(model, for: RunOptions.model.declaration)
    try arguments.fill(from: Configuration(origin: "options", values: options), RunOptions.declarations)
    try self.init(arguments)
  }

  /// Creates the settings of the arguments. Settings that the arguments do not contain come from the model's recipe, or
  /// else are the defaults.
  package init(_ arguments: Arguments) throws {
    let layers = try arguments[RunOptions.layers].map { try LayerList(parsing: $0) }
    self.init(try .chosen(by: arguments), ownLayers: layers?.description)
    guard !arguments.contains(key: "steps") || !arguments.contains(key: "epochs") else {
      throw OptionError("--epochs and --steps exclude each other")
    }
    for option in RunOptions.all { try option.apply(arguments, &self) }
    for option in RunOptions.all where arguments.contains(option.declaration) {
      if let refusal = try option.topic.refusal(self) { throw OptionError("--\(option.declaration.name) \(refusal)") }
    }
    try applyRecipe(besides: arguments)
    try check()
  }

  /// Options of a recipe that do not apply if another option is given. The momentum belongs to the recipe's optimizer,
  /// and given weights replace the initialization.
  private static let replacements = ["momentum": "optimizer", "initialize": "weights"]

  /// Applies the options of the model's recipe that are not given and that suit the data.
  private mutating func applyRecipe(besides given: Arguments) throws {
    for (key, value) in model.recipe.options {
      guard let option = RunOptions.option(key: key) else { fatalError("recipe of \(model.name): no option \(key)") }
      guard !given.contains(option.declaration), try option.topic.refusal(self) == nil else { continue }
      if let other = RunSettings.replacements[key], given.contains(key: other) { continue }
      var arguments = Arguments()
      let configuration = Configuration(origin: "the recipe of \(model.name)", values: [key: value])
      try arguments.fill(from: configuration, [option.declaration])
      try option.apply(arguments, &self)
    }
  }

  /// Whether the model's recipe has a value for the option with this configuration key.
  func hasRecipeValue(_ key: String) -> Bool { model.recipe.options[key] != nil }

  /// Throws if settings exclude each other, or do not fit the model or the data.
  private func check() throws(OptionError) {
    if initialization != nil, weights != nil { throw OptionError("--initialize and --weights exclude each other") }
    if replacesHead, weights == nil { throw OptionError("--replace-head needs --weights") }
    if momentum != nil, !((try? optimizerRule(optimizer, learningRate: learningRate)) is any MomentumRule) {
      throw OptionError("--momentum is for optimizers with a momentum, but \(optimizer) has none")
    }
    if classes != nil, case .language = model.kind {
      throw OptionError("--classes is for classifiers, but \(model.name) is a language model")
    }
    let split = dataSettings.split
    guard split.test + split.validation < 1 else {
      throw OptionError("--test-share and --validation together leave no training examples")
    }
    if case .images(let network) = model.kind, image.stem != nil, !network.hasStems {
      let form = network.layers != nil ? "is a chain of layers" : "has one form for all image sizes"
      throw OptionError("--stem is for published networks with two stems, \(model.name) \(form)")
    }
    if image.transform?.mixing.isEmpty == false {
      throw OptionError("--transform: mixing is for training alone; write it in --augment")
    }
    if isTable, split.test == 0 {
      throw OptionError("--test-share 0: a table has no other rows to test with")
    }
  }

  /// The settings as a configuration, which reproduces the run when it is given to `--config`.
  package var json: JSONObject {
    var object = JSONObject()
    for option in RunOptions.all {
      guard (try? option.topic.refusal(self)) == .some(.none) else { continue }
      object[option.declaration.key] = option.json(self)
    }
    return object
  }
}

// MARK: - Settings of single options

extension RunSettings {
  /// Whether `--layers` defines the layers, instead of the catalog.
  var hasOwnLayers: Bool { ownLayers != nil }

  /// Whether the data are a table.
  package var isTable: Bool {
    (try? DatasetDescription.find(data))?.description.isTable == true
  }

  var epochs: Double? {
    get { if case .epochs(let count) = length { count } else { nil } }
    set { if let newValue { length = .epochs(newValue) } }
  }

  var steps: Int? {
    get { if case .steps(let count) = length { count } else { nil } }
    set { if let newValue { length = .steps(newValue) } }
  }

  /// The network of a model of text; `nil` for other models.
  var text: TextNetwork? {
    switch model.kind {
    case .images: nil
    case .language(let network), .texts(let network): network
    }
  }

  /// The network of a model of text. For other models, the getter returns a placeholder, and the setter does nothing.
  var network: TextNetwork {
    get { text ?? TextNetwork(.lstm, width: 0, depth: 0, tokenizer: "", vocabularySize: 0, sequenceLength: 0) }
    set {
      switch model.kind {
      case .images: break
      case .language: model = model.with(.language(newValue))
      case .texts: model = model.with(.texts(newValue))
      }
    }
  }
}

extension ModelDescription {
  /// The name of a model that `--layers` defines, if no name is given.
  private static let unnamed = "layers"

  fileprivate func with(_ kind: Kind) -> ModelDescription {
    ModelDescription(name: name, summary: summary, kind: kind, recipe: recipe)
  }

  /// The model that the arguments name. With `--layers`, a model of these layers, which needs no name. If the arguments
  /// also name a model of the catalog, the layers get the input size and the recipe of that model.
  package static func chosen(by arguments: Arguments) throws -> ModelDescription {
    let name = arguments[RunOptions.model]
    guard let text = arguments[RunOptions.layers] else {
      guard let name else {
        throw OptionError(
          "MODEL is missing; choose from \(all.map(\.name).joined(separator: ", ")) or use --layers")
      }
      return try find(name)
    }
    let like = all.first { $0.name == name }
    var size = [1, 28, 28]
    switch like?.kind {
    case nil: break
    case .images(let network)?: size = network.inputSize
    case .language?, .texts?:
      throw OptionError("--layers makes models of images, but \(name ?? "") takes text")
    }
    return ModelDescription(
      name: name ?? unnamed, summary: "a chain of layers",
      kind: .images(ImageNetwork(layers: try LayerList(parsing: text), inputSize: size)),
      recipe: like?.recipe ?? Recipe())
  }
}
