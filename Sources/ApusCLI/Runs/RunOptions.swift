import Apus

/// The options of a training run. Each is also a key of configurations: `--batch-size` is `batch_size` there.
enum RunOptions {
  static let model = Argument(
    .model, isRequired: false, help: "the model to train; with --layers any name")
  static let layers = Option(
    "layers", .text("SPEC"),
    help: "a chain of layers instead of the model's, for example \"dense 64, relu, dense 10\"")
  static let data = Option("data", .dataSource, help: "the data set, see apus datasets (default: the model's)")
  static let device = Option("device", .device, help: "\(ComputeDevice.nameList) (default: auto)")
  static let epochs = Option(
    "epochs", .count, help: "the number of passes over the training examples (default: the model's)")
  static let steps = Option("steps", .count, help: "the number of steps, instead of --epochs")
  static let batchSize = Option(
    "batch-size", .batchSize, help: "examples in a step, or full for all of them (default: the model's)")
  static let optimizer = Option(
    "optimizer", .choice("NAME", of: optimizerNames),
    help: "\(optimizerNames.joined(separator: ", ")) (default: adam)")
  static let learningRate = Option(
    "learning-rate", .positiveNumber, help: "the learning rate of the optimizer (default: the model's)")
  static let schedule = Option(
    "schedule", .choice("NAME", of: scheduleNames),
    help:
      "the schedule of the learning rate: \(scheduleNames.joined(separator: ", ")) (default: the model's); "
      + "plateau depends on the validation loss, without --validation on the training loss")
  static let warmup = Option("warmup", .count, help: "steps in which the learning rate rises, before the schedule")
  static let weightDecay = Option(
    "weight-decay", .nonNegativeNumber, help: "the coefficient of weight decay (default: 0)")
  static let precision = Option(
    "precision", .choice("P", of: Precision.named.map(\.key) + ["tf32"]),
    help:
      "mixed computes products in float16, with float32 weights and a scaled loss; mixed-bfloat16 in bfloat16, which "
      + "needs no loss scale and is faster on Intel CPUs with AMX and AMD CPUs with AVX512-BF16; tf32 is for CUDA "
      + "(default: float32)")
  static let clipNorm = Option(
    "clip-norm", .nonNegativeNumber,
    help: "clip the gradients to this global norm, 0 for no clipping (default: the model's)")
  static let clipValue = Option(
    "clip-value", .positiveNumber, help: "clip each element of the gradients to plus or minus X")
  static let decayExempt = Flag("decay-weights-only", help: "no weight decay for biases and normalization layers")
  static let l1 = Option("l1", .positiveNumber, help: "add X times the sum of the weights' absolute values to the loss")
  static let l2 = Option("l2", .positiveNumber, help: "add X times the sum of the squared weights to the loss")
  static let maxNorm = Option(
    "max-norm", .positiveNumber, help: "limit the norm of the weights of each unit to X after every step")
  static let detectAnomaly = Flag(
    "detect-anomaly", help: "check every result, and stop at the first operation that produces NaN or infinity")
  static let seed = Option("seed", .seed, help: "the seed of all random numbers, below 2^63 (default: 0)")
  static let weights = Option(
    "weights", .file, help: "start from the weights of a safetensors file, run or checkpoint")
  static let initialize = Option(
    "initialize", .choice("FROM", of: DataInitialization.allCases.map(\.rawValue)),
    help:
      "initial weights from the data: lsuv (unit variances) or autoencoder (layers learn to reconstruct their inputs)")
  static let replaceHead = Flag("replace-head", help: "with --weights: the last layer is initialized")
  static let classes = Option(
    "classes", .count, help: "outputs of the last layer (default: the data's classes)")
  static let saveEvery = Option("save-every", .positiveNumber, help: "seconds between checkpoints (default: 60)")

  static let earlyStop = Option(
    "early-stop", .text("SPEC"),
    help:
      "stop at the end of an epoch, for example loss:patience=5,change=0.001 (epochs without improvement), "
      + "accuracy:target=0.95 or gradient-norm:target=1e-3; loss and accuracy are those of --validation, without it "
      + "those of training; with --resume, none ends early stopping")
  static let keep = Option(
    "keep", .text("SPEC"),
    help:
      "checkpoints to keep: last=N for the newest, best for the smallest loss, best=accuracy for the largest accuracy, "
      + "both measured as for --early-stop (default: last=2)")

  /// All options, in the order in which they are listed and stored.
  static let declarations =
    [
      model.declaration, layers.declaration, data.declaration, device.declaration, epochs.declaration,
      steps.declaration, batchSize.declaration, optimizer.declaration, learningRate.declaration,
      schedule.declaration, warmup.declaration, weightDecay.declaration, precision.declaration, clipNorm.declaration,
      clipValue.declaration, decayExempt.declaration, l1.declaration, l2.declaration, maxNorm.declaration,
      detectAnomaly.declaration, seed.declaration,
      weights.declaration, initialize.declaration, replaceHead.declaration, classes.declaration, saveEvery.declaration,
      earlyStop.declaration, keep.declaration,
    ] + DataOptions.declarations + TableFileOptions.declarations + ImageOptions.declarations
    + TextOptions.declarations
}

extension ValueKind<String> {
  /// The name of a model. It is looked up later, because any name is allowed with `--layers`.
  static let model = ValueKind(
    "MODEL", expectation: "the name of a model", completion: .words(ModelDescription.all.map(\.name))
  ) { $0.isEmpty ? nil : $0 }

  static let dataSource = ValueKind(
    "SOURCE", expectation: "a data source", completion: .words(DatasetDescription.all.map(\.source))
  ) { $0.isEmpty ? nil : $0 }
}

/// The number of examples in a step.
enum BatchSize: Hashable, Sendable {
  case full
  case count(Int)

  /// The number of examples; `nil` for all of them.
  var count: Int? { if case .count(let count) = self { count } else { nil } }

  var json: JSON { count.map { .integer($0) } ?? "full" }
}

extension ValueKind<BatchSize> {
  static let batchSize = ValueKind("N|full", expectation: "\(ValueKind<Int>.count.expectation), or full") { text in
    text == "full" ? .full : ValueKind<Int>.count.parse(text).map { .count($0) }
  }
}
