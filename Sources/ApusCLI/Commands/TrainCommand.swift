import Apus
import ApusRuns
import ApusSystem
import Synchronization

enum TrainCommand: Command {
  static let name = "train"
  static let summary = "train a model"
  static let output = Option("output", .folder, help: "the folder of the run (default: runs/MODEL-N)")
  static let resume = Option(
    "resume", .folder, help: "continue the run in a folder; --epochs or --steps can make it longer")
  static let configuration = Option("config", .file, help: "read options from a JSON file, see above")
  static let set = Option(
    "set", .text("KEY=VALUE"), repeats: true, help: "set an option by its key; overrides --config")
  static let profile = Option(
    "profile", .file, help: ProfileReport.help("at most \(TrainingOptions.profiledSteps) steps from the third on"))
  static let json = Flag("json", help: "print one JSON object for each epoch and one for the run")
  static let declarations =
    RunOptions.declarations
    + [
      output.declaration, resume.declaration, configuration.declaration, set.declaration, profile.declaration,
      json.declaration,
    ]
  static let discussion = """
    Options come from the command line, else from --set, else from --config, else from the model's recipe. A
    configuration is a JSON object whose keys are options with _ for -, such as {"batch_size": 64}. Options of the
    invocation itself have no key: --output, --resume, --config, --set, --profile and --json. The configuration of
    a run is config.json in its folder, beside metrics.jsonl and checkpoints/.

    --layers lists layers, separated by commas; a SIZE is N or HEIGHTxWIDTH:
      conv FILTERS SIZE, optionally followed by stride SIZE, pad SIZE, pad same,
        dilation SIZE, groups N, no-bias
      pool SIZE or avgpool SIZE, optionally followed by stride SIZE, pad SIZE;
        globalpool; flatten
      dense UNITS, optionally followed by no-bias; batchnorm; dropout RATE; relu,
        sigmoid, tanh, gelu, silu, elu, selu, softplus, leaky-relu
      rows (the rows of an image as a sequence); rnn UNITS, lstm UNITS or gru UNITS,
        optionally followed by layers N, both (bidirectional), all (the states of
        all time steps), no-bias
      residual (LAYERS | LAYERS) adds the outputs of two chains, concat (LAYERS |
        LAYERS) joins them along the channels; a single chain is combined with its
        input: residual (conv 8 3x3 pad 1, relu)

    --transform and --augment list transforms of images, which are applied in order, separated by commas:
    \(ImageSettings.transforms)

    --data csv:FILE trains chains of layers, such as mlp, on the rows of a table. The last layer must be dense; it gets
    one unit for each class, or a single one to predict a number. Missing values, scaling and encoding of columns use
    the statistics of the training rows. A predicted number is standardized with the mean and standard deviation of the
    training rows; errors are still in the target's own units, and losses in the square of these units.

    Losses are means over the examples, for text means over the tokens, in nats. For numbers they are mean squared
    errors. No loss that is printed includes penalties, class weights or label smoothing. Training metrics come from the
    outputs of the training steps, while the weights change.

    The first Ctrl-C finishes the step and saves a checkpoint, and so does a closed terminal. apus train --resume DIR
    then continues the run, whose final weights have the same bits as those of a run without the interruption. If
    nothing reads the output any more, the run continues to its end and is saved. While a process trains, no other
    process can continue its run.
    """

  /// The new or resumed run that the arguments describe.
  static func prepared(_ arguments: Arguments) throws -> TrainingRun {
    let given = try arguments.filled()
    if let path = arguments[resume] { return try TrainingRun(resuming: path, output: arguments[output], given) }
    return try TrainingRun(RunSettings(given), output: arguments[output])
  }

  static func run(_ arguments: Arguments) throws {
    // A run survives a closed pipe, as in `apus train … | head -1`.
    StandardStreams.surviveClosedPipes()
    var run = try prepared(arguments)
    let epochs = EpochPrinter(isEnabled: arguments[json])
    let report: ProfileReport?
    let trained: TrainedRun
    do {
      report = try arguments[profile].map { try ProfileReport(path: $0) }
      if report != nil, case .steps(1...2) = run.settings.length {
        throw OptionError("--profile starts at the third step, but the run has fewer")
      }
      let device = try ComputeDevice.chosen(by: run.settings.device)
      trained = try run.run(on: device, willStart: { try report?.measureLimits(of: device) }) { options in
        options.progress = .automatic
        options.handlesSignals = true
        options.onRecord = { epochs.print($0) }
        if let report { options.onProfile = { report.write($0) } }
      }
    } catch {
      run.files.removeIfUnused()
      throw error
    }
    let interruption = trained.result.interruption.map { Interruption(signal: $0, run: run.files.path) }
    do {
      try epochs.check()
      if arguments[json] {
        try StandardOutput.write(.object(trained.line(run)))
      } else {
        try StandardOutput.write(line: trained.text(run))
      }
      try report?.check()
    } catch let error as OutputError {
      // If the terminal hung up, writing fails, too: the signal is reported, not the failed write.
      if let interruption { throw interruption }
      throw OutputError(description: "\(error); the run is finished and saved in \(run.files.path)")
    }
    if let interruption { throw interruption }
  }
}

extension Arguments {
  /// The arguments, completed by the values of `--set`, and then by the values of `--config`. Neither changes options
  /// that are already set.
  func filled() throws -> Arguments {
    var filled = self
    try filled.fill(from: Configuration(assignments: all(TrainCommand.set)), RunOptions.declarations)
    if let path = self[TrainCommand.configuration] {
      try filled.fill(from: Configuration(file: path), RunOptions.declarations)
    }
    return filled
  }
}

/// A run that a signal ended gracefully.
struct Interruption: Error, CustomStringConvertible {
  var signal: Int32
  var run: String

  var description: String { "stopped and saved; continue with: apus train --resume \(run)" }
}

/// With `--json`, prints the metrics of each epoch. If printing fails, the run continues, and the command then ends
/// with an error.
private final class EpochPrinter: Sendable {
  private let isEnabled: Bool
  private let failure = Mutex<OutputError?>(nil)

  init(isEnabled: Bool) { self.isEnabled = isEnabled }

  func print(_ record: JSONObject) {
    guard isEnabled, record["train_loss"] != nil else { return }
    do throws(OutputError) {
      try StandardOutput.write(.object(record))
    } catch {
      failure.withLock { $0 = $0 ?? error }
    }
  }

  func check() throws(OutputError) { if let error = failure.withLock({ $0 }) { throw error } }
}

extension TrainedRun {
  private var measures: LanguageMeasures? { LanguageMeasures(result.testLoss, format) }

  fileprivate func line(_ run: TrainingRun) -> JSONObject {
    var line: JSONObject = [
      "model": .string(run.settings.model.name), "device": .string(device.name),
      "seed": .integer(Int(run.settings.seed)), "epochs": .integer(result.epochs), "steps": .integer(result.steps),
    ]
    for (split, metrics) in result.results.measured {
      line["\(split.rawValue)_loss"] = .number(metrics.loss)
      line["\(split.rawValue)_accuracy"] = metrics.accuracy.map { .number($0) }
    }
    for (key, value) in measures?.json(.test) ?? [:] { line[key] = value }
    line["seconds"] = .number(result.seconds)
    line["steps_per_second"] = result.stepsPerSecond.map { .number($0) }
    line["loader_share"] = result.loaderShare.map { .number($0) }
    if let table = format as? TableFormat {
      line["target"] = .string(table.target)
      line["task"] = .string(table.kind.rawValue)
    }
    line[ResultKey.skipped] = skipped.count.map { .integer($0) }
    line["stopped"] = result.stopped.map { .string($0) }
    line["weights_sha256"] = .string(result.weightsSHA256)
    line["output"] = .string(run.files.path)
    return line
  }

  fileprivate func text(_ run: TrainingRun) -> String {
    var rows = [("model", "\(run.settings.model.name) on \(device.name), seed \(run.settings.seed)")]
    rows.append(("steps", "\(result.steps.grouped) in \(result.epochs.text(of: "epoch"))"))
    if let reason = result.stopped { rows.append(("stopped", reason)) }
    for (split, metrics) in result.results.measured {
      rows.append(("\(split.rawValue) loss", metrics.loss.text(places: 4)))
      if let accuracy = metrics.accuracy { rows.append(("\(split.rawValue) accuracy", accuracy.text(places: 4))) }
      for (name, value) in metrics.measures.sortedArray(by: { $0.key < $1.key }) {
        let text = format.isClassifier ? value.text(places: 4) : RegressionReport.text(value)
        rows.append(("\(split.rawValue) \(name.replacing("_", with: " "))", text))
      }
    }
    rows += measures?.rows ?? []
    if case .number(let target, _, _) = format.outputs {
      rows.append(("losses", "mean squared errors of \(target), in the square of its own units"))
    }
    let rate = result.stepsPerSecond.map { ", \($0.text(places: 1)) steps a second" } ?? ""
    // A smaller share would be displayed as 0.0 %.
    let waited = result.loaderShare.flatMap { $0 >= 0.0005 ? $0.percent(places: 1) : nil }
    let loader = waited.map { ", \($0) of the step time spent waiting for examples" } ?? ""
    let session = "\(result.sessionSeconds.text(places: 1)) s"
    let isResumed = result.seconds > result.sessionSeconds
    let whole = isResumed ? "\(result.seconds.text(places: 1)) s, \(session) in this session" : session
    rows.append(("time", "\(whole)\(rate)\(loader)"))
    rows += skipped.rows
    rows.append(("weights", result.weightsSHA256))
    rows.append(("output", run.files.path))
    return Help.rows(rows)
  }
}
