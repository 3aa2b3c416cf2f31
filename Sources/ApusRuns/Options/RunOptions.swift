import Apus

/// The options of a training run, in the order in which they are listed and stored. Each option is also a key of
/// configurations such as `config.json`, where `--batch-size` is written `batch_size`. To add an option, add an entry
/// to one of the lists in `all`.
package enum RunOptions {
  package static let model = Argument(
    .model, isRequired: false, help: "the model to train; with --layers any name")
  package static let layers = Option(
    "layers", .text("SPEC"),
    help: "a chain of layers instead of the model's, for example \"dense 64, relu, dense 10\"")
  package static let data = Option(
    "data", .dataSource, help: "the data set, see apus datasets (default: the model's)")
  package static let device = Option("device", .device, help: "\(ComputeDevice.nameList) (default: auto)")
  static let epochs = Option(
    "epochs", .epochs, help: "the number of passes over the training examples, such as 9.5 (default: the model's)")
  static let steps = Option("steps", .count, help: "the number of steps, instead of --epochs")
  package static let batchSize = Option(
    "batch-size", .batchSize, help: "examples in a step, or full for all of them (default: the model's)")
  package static let optimizer = Option(
    "optimizer", .choice("NAME", of: optimizerNames),
    help: "\(optimizerNames.joined(separator: ", ")) (default: adam)")
  package static let precision = Option(
    "precision", .choice("P", of: Precision.named.map(\.key)),
    help:
      "\(list(Precision.named.map(\.key))): mixed computes products in float16, with float32 weights and a scaled "
      + "loss, mixed-bfloat16 in bfloat16, which needs no loss scale; CPUs compute bfloat16 products with AMX or, if "
      + "they are not Intel's, with AVX512-BF16, and all other 16-bit products as float32 products; tf32 lets NVIDIA's "
      + "matrix units round the factors of float32 products to 11 bits, tf32x3 to 22 bits (default: float32)")
  package static let seed = Option(
    "seed", .seed,
    help: "the seed of all random numbers except those that split the data; below 2^63 (default: 0)")
  package static let classes = Option(
    "classes", .count, help: "outputs of the last layer (default: the data's classes)")
  package static let saveEvery = Option(
    "save-every", .positiveNumber, help: "seconds between checkpoints (default: 60)")
  package static let earlyStop = Option(
    "early-stop", .text("SPEC"),
    help:
      "stop at the end of an epoch, for example loss:patience=5,change=0.001 (epochs without improvement), "
      + "accuracy:target=0.95 or gradient-norm:target=1e-3; loss and accuracy of the validation examples, or without "
      + "--validation of the training examples; with --resume, none ends early stopping")
  package static let keep = Option(
    "keep", .text("SPEC"),
    help:
      "checkpoints to keep: last=N for the newest, best for the smallest loss, best=accuracy for the largest accuracy, "
      + "both measured as for --early-stop (default: last=2)")

  package static let validation = validationOption(
    default: "0", also: "; test examples are then measured only at the end")

  /// `--validation`, whose default differs between commands.
  /// - Parameter addition: A further clause of the help.
  package static func validationOption(default share: String, also addition: String = "") -> Option<Double> {
    Option(
      "validation", .share,
      help: "the fraction of the examples held out for validation (of the training examples, if the data have their "
        + "own test split)\(addition) (default: \(share))")
  }

  package static let all: [RunOption] = general + dataOptions + tableOptions + imageOptions + textOptions

  /// The declarations of all options; the first is the argument `MODEL`.
  package static let declarations = all.map(\.declaration)

  /// The declarations of one topic, in the order of `all`.
  static func declarations(about topic: RunOption.Topic) -> [Declaration] {
    all.filter { $0.topic == topic }.map(\.declaration)
  }

  /// Joins words to a list for the help: `standard, minmax or none`.
  private static func list(_ words: [String]) -> String { words.list("or") }

  private static func list<Value: RawRepresentable<String>>(_ cases: [Value]) -> String { list(cases.map(\.rawValue)) }

  package static var textDeclarations: [Declaration] { declarations(about: .text) }

  /// The option with a configuration key, such as `batch_size`.
  static func option(key: String) -> RunOption? { all.first { $0.declaration.key == key } }

  private static let general: [RunOption] = [
    // The model is chosen before all other settings, see `ModelDescription.chosen`.
    RunOption(model.declaration, apply: { _, _ in }, json: { .string($0.model.name) }),
    RunOption(layers.declaration, apply: { _, _ in }, json: { $0.ownLayers.map { .string($0) } }),
    RunOption(data, \.data),
    RunOption(device, \.device).changeable,
    RunOption(
      epochs.declaration,
      apply: { arguments, settings in if let value = arguments[RunOptions.epochs] { settings.epochs = value } },
      json: { $0.epochs?.shortestJSON }
    ).changeable,
    RunOption(steps, \.steps).changeable,
    RunOption(batchSize, \.batchSize),
    RunOption(
      Flag("drop-last", help: "leave out the last batch of an epoch if it is smaller than the others"),
      \.dataSettings.dropsLast),
    RunOption(optimizer, \.optimizer),
    RunOption(
      Option(
        "learning-rate", .positiveNumber, help: "the learning rate of the optimizer (default: the model's)"),
      \.learningRate),
    RunOption(
      Option(
        "schedule", .choice("NAME", of: scheduleNames),
        help:
          "the schedule of the learning rate: \(scheduleNames.joined(separator: ", ")) (default: the model's); "
          + "plateau depends on the validation loss, without --validation on the training loss"),
      \.schedule),
    RunOption(
      Option("warmup", .count, help: "steps in which the learning rate rises, before the schedule"), \.warmup),
    RunOption(
      Option(
        "momentum", .share,
        help: "the momentum, of Adam and similar optimizers beta 1 (default: the model's, else the optimizer's)"),
      \.momentum),
    RunOption(
      Option(
        "weight-decay", .nonNegativeNumber, help: "the coefficient of weight decay (default: the model's, else 0)"),
      \.weightDecay),
    RunOption(
      precision, \.precision, parse: { Precision(named: $0)! }, text: { $0 == .float32 ? nil : $0.name }),
    RunOption(
      Option(
        "clip-norm", .nonNegativeNumber,
        help: "clip the gradients to this global norm, 0 for no clipping (default: the model's)"),
      \.clipNorm),
    RunOption(
      Option("clip-value", .positiveNumber, help: "clip each element of the gradients to plus or minus X"),
      \.clipValue),
    RunOption(
      Flag("decay-weights-only", help: "no weight decay for biases and normalization layers"), \.decaysWeightsOnly),
    RunOption(
      Option(
        "norm-bias-rate", .positiveNumber,
        help:
          "multiply the learning rate of the biases of normalization layers by X, and divide their weight decay by X "
          + "(default: the model's, else 1)"),
      \.normBiasRate, unless: 1),
    RunOption(
      Option("l1", .positiveNumber, help: "add X times the sum of the weights' absolute values to the loss"), \.l1),
    RunOption(Option("l2", .positiveNumber, help: "add X times the sum of the squared weights to the loss"), \.l2),
    RunOption(
      Option(
        "max-norm", .positiveNumber, help: "limit the norm of the weights of each unit to X after every step"),
      \.maxNorm),
    RunOption(
      Option(
        "lookahead", .nonNegativeCount(upTo: 1_000_000),
        help:
          "every N steps, replace the weights and running statistics by their moving average, whose decay rises to "
          + "0.95^N with the third power of the finished part of the run; 0 for never (default: the model's, else 0)"),
      \.lookahead, unless: 0),
    RunOption(
      Flag(
        "detect-anomaly", help: "check every result, and stop at the first operation that produces NaN or infinity"),
      \.detectsAnomalies
    ).changeable,
    RunOption(seed, \.seed),
    RunOption(
      Option("weights", .file, help: "start from the weights of a safetensors file, run or checkpoint"), \.weights),
    RunOption(
      Option(
        "initialize", .choice("FROM", of: DataInitialization.allCases),
        help:
          "initial weights from the data: lsuv (unit variances), autoencoder (layers learn to reconstruct their "
          + "inputs) or whitening (the outputs of the first convolution are uncorrelated)"),
      \.initialization),
    RunOption(
      Option(
        "freeze", .text("SPEC"),
        help:
          "parameters or layers that are not trained, for example \"conv1, layer1, fc.bias after 3\" (after three "
          + "epochs); none for none of them (default: the model's, else none)"),
      \.freezing, parse: ParameterFreezing.Rule.list(parsing:),
      text: { $0.isEmpty ? nil : ParameterFreezing.Rule.text($0) }, none: ParameterFreezing.Rule.none),
    RunOption(
      Flag("replace-head", help: "with --weights: initialize the last layer instead of loading it"), \.replacesHead),
    RunOption(classes, \.classes),
    RunOption(saveEvery, \.saveEvery).changeable,
    RunOption(
      earlyStop, \.earlyStop, parse: EarlyStoppingSettings.chosen(by:), text: { $0?.description }
    ).changeable,
    RunOption(
      keep, \.retention, parse: CheckpointRetention.init(parsing:), text: { $0 == .default ? nil : $0.text }
    ).changeable,
  ]

  // MARK: - Examples

  private static let dataOptions: [RunOption] = [
    RunOption(
      Option(
        "test-share", .share, help: "the fraction held out for tests, if the data have no test split (default: 0.2)"),
      \.dataSettings.split.test, unless: DataSettings.default.split.test),
    RunOption(validation, \.dataSettings.split.validation, unless: 0),
    RunOption(
      Option(
        "split-seed", .seed,
        help:
          "the seed that selects the held-out examples and those of --train-count, stratified by class (default: 0)"),
      \.dataSettings.split.seed, unless: 0),
    RunOption(
      Option(
        "train-count", .count, help: "the number of training examples to use, stratified by class (default: all)"),
      \.dataSettings.trainCount),
    RunOption(
      Option(
        "label-smoothing", .share,
        help: "the part of the target that is distributed evenly over all classes (default: the model's, else 0)"),
      \.dataSettings.labelSmoothing, unless: 0),
    RunOption(
      Option(
        "class-weights", .choice("KIND", of: ClassWeighting.allCases),
        help: "balanced: the loss of each class is weighted by its inverse frequency (default: none)"),
      \.dataSettings.classWeights, unless: ClassWeighting.none),
    RunOption(
      Option(
        "sampling", .choice("KIND", of: ClassSampling.allCases),
        help: "balanced: each class is sampled equally often, with repetition (default: shuffled)"),
      \.dataSettings.sampling, unless: .shuffled),
  ].map { $0.about(.data) }

  // MARK: - Tables

  private static let taskKinds = [TableTask.Kind.classification, .regression]

  private static let tableOptions: [RunOption] = [
    RunOption(
      Option("target", .text("COLUMN"), help: "the column of a table to predict (default: the last)"),
      \.table.task.target),
    RunOption(
      Option(
        "ignore-columns", .set("COLUMN"),
        help: "columns of a table to leave out, such as row numbers, separated by commas"),
      \.table.reading.ignored, unless: []),
    RunOption(
      Flag(
        "no-header",
        help: "the first line of a table is a row, not a header: columns are called \"column 1\", \"column 2\", …"),
      \.table.hasNoHeader),
    RunOption(
      Option(
        "task", .choice("KIND", of: taskKinds),
        help:
          "\(list(taskKinds)): whether a table's target is a class or a number (default: words and few distinct "
          + "integers are classes)"),
      \.table.task.kind),
    RunOption(
      Option(
        "scaling", .choice("KIND", of: TableEncoding.Scaling.allCases),
        help:
          "\(list(TableEncoding.Scaling.allCases)): scale numbers of a table to mean 0 and deviation 1, to the range "
          + "0 to 1, or not at all (default: \(TableEncoding().scaling.rawValue))"),
      \.table.encoding.scaling, unless: TableEncoding().scaling),
    RunOption(
      Option(
        "missing", .choice("KIND", of: TableEncoding.Imputation.allCases),
        help:
          "\(list(TableEncoding.Imputation.allCases)): replace missing numbers of a table by the column's mean or "
          + "median (default: \(TableEncoding().imputation.rawValue))"),
      \.table.encoding.imputation, unless: TableEncoding().imputation),
    RunOption(
      Flag(
        "missing-indicators",
        help: "add a feature for each column of a table with missing numbers, which marks their rows"),
      \.table.encoding.indicatesMissing),
    RunOption(
      Option(
        "categories", .choice("KIND", of: TableEncoding.Categories.allCases),
        help:
          "\(list(TableEncoding.Categories.allCases)): a feature for each category of a table's columns, or codes for "
          + "an embedding layer (default: \(TableEncoding().categories.rawValue))"),
      \.table.encoding.categories, unless: TableEncoding().categories),
  ].map { $0.about(.table) }

  // MARK: - Images

  static let stem = Option(
    "stem", .choice("KIND", of: ImageStem.allCases),
    help: "the first layers: small for images of about 32 pixels, imagenet for about 224 (default: small up to 64)")
  static let imageSize = Option(
    "image-size", .count(upTo: 4_096),
    help: "the height and width that images are resized to (default: their own; for folders the network's input size)")
  static let channels = Option(
    "channels", .choice("N", of: [1, 3]), help: "1 for grayscale, 3 for color (default: the images' own)")

  /// `--test-time-augmentation`, whose default differs between commands.
  package static func testTimeAugmentationOption(default usual: String) -> Option<TestTimeAugmentation> {
    Option(
      "test-time-augmentation", .choice("KIND", of: TestTimeAugmentation.allCases),
      help:
        "flip: average the outputs for a test image and its mirror image; flip-shift: and those for the image moved by "
        + "one pixel along both axes; none (default: \(usual))")
  }

  private static let testTimeAugmentation = testTimeAugmentationOption(default: "the model's, else none")

  /// The options that change the size and the channels of the images, and the stem (the first layers) of a model.
  package static let imageShape = [stem.declaration, imageSize.declaration, channels.declaration]

  private static let imageOptions: [RunOption] = [
    RunOption(stem, \.image.stem),
    RunOption(imageSize, \.image.size),
    RunOption(channels, \.image.channels),
    RunOption(
      Option(
        "transform", .transforms, help: "transforms of every image, for example \"shorter 256, center-crop 224\""),
      \.image.transform, parse: { try ImagePipeline(parsing: $0) }, text: { $0?.description }),
    RunOption(
      Option(
        "augment", .transforms, help: "further transforms of training images, for example \"flip, crop pad 4\""),
      \.image.augmentation, parse: { try ImagePipeline(parsing: $0) }, text: { $0.isEmpty ? nil : $0.description },
      none: ""),
    RunOption(testTimeAugmentation, \.image.testTimeAugmentation, unless: TestTimeAugmentation.none),
    RunOption(
      Option(
        "workers", .nonNegativeCount(upTo: 256),
        help: "threads that read and transform images; results do not depend on their number"),
      \.image.workers
    ).changeable,
    RunOption(
      Flag(
        "skip-bad",
        help:
          "skip and count images that cannot be read; other images replace them in training, but not in evaluation"),
      \.image.skipsBad),
  ].map { $0.about(.image) }

  // MARK: - Text

  package static let tokenizer = Option(
    "tokenizer", .choice("KIND", of: TokenizerCatalog.kinds),
    help: "the tokenizer: \(TokenizerCatalog.kinds.joined(separator: ", ")) (default: the model's)")

  private static let textOptions: [RunOption] = [
    RunOption(tokenizer, \.network.tokenizer),
    RunOption(
      Option(
        "vocabulary-size", .count(upTo: 10_000_000),
        help: "the largest size of the vocabulary; at least 257 with bpe (default: the model's)"),
      \.network.vocabularySize),
    RunOption(
      Option(
        "sequence-length", .count(upTo: 1_000_000),
        help: "the context length in tokens; longer texts are truncated (default: the model's)"),
      \.network.sequenceLength),
    RunOption(
      Option(
        "width", .count(upTo: 65_536), help: "the size of embeddings and hidden states (default: the model's)"),
      \.network.width),
    RunOption(
      Option("depth", .count(upTo: 1_024), help: "the number of layers (default: the model's)"), \.network.depth),
    RunOption(
      Option("dropout", .share, help: "the probability of dropout (default: the model's)"), \.network.dropout),
  ].map { $0.about(.text) }
}

extension ValueKind<String> {
  /// The name of a model. It is looked up later, because any name is allowed with `--layers`.
  package static let model = ValueKind(
    "MODEL", expectation: "the name of a model", completion: .words(ModelDescription.all.map(\.name))
  ) { $0.isEmpty ? nil : $0 }

  package static let dataSource = ValueKind(
    "SOURCE", expectation: "a data source", completion: .words(DatasetDescription.all.map(\.source))
  ) { $0.isEmpty ? nil : $0 }

  /// A list of transforms; any text is accepted here. `ImagePipeline(parsing:)` parses it later, and its errors name
  /// the transform that is wrong.
  static let transforms = ValueKind("SPEC", expectation: "transforms separated by commas", completion: .none) { $0 }
}

extension ValueKind<Double> {
  /// A number of passes over the training examples.
  static let epochs = ValueKind("X", expectation: "a number above 0, at most 1000000000") { text in
    Double(text).flatMap { 0 < $0 && $0 <= 1e9 ? $0 : nil }
  }
}

extension ValueKind<BatchSize> {
  static let batchSize = ValueKind("N|full", expectation: "\(ValueKind<Int>.count.expectation), or full") { text in
    text == "full" ? .full : ValueKind<Int>.count.parse(text).map { .count($0) }
  }
}
