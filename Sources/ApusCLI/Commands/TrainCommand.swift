import Apus
import ApusFiles
import Synchronization

enum TrainCommand: Command {
  static let name = TrainingRun.command
  static let summary = "train a model"
  static let output = Option("output", .directory, help: "where the run is kept (default: runs/MODEL-N)")
  static let resume = Option(
    "resume", .directory, help: "go on with the run in a directory; --epochs or --steps may make it longer")
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
    configuration is a JSON object whose keys are options with _ for -: {"batch_size": 64}; not those that say where the
    run is kept and what is printed, --output, --resume, --config, --set, --profile and --json. The one that a run
    was made with is kept as config.json in its directory, beside metrics.jsonl and checkpoints/.

    --layers names layers with commas between; a SIZE is N or HEIGHTxWIDTH:
      conv FILTERS SIZE, and behind it stride SIZE, pad SIZE, pad same, dilation SIZE, groups N, no-bias
      pool SIZE or avgpool SIZE, and behind it stride SIZE, pad SIZE; globalpool; flatten
      dense UNITS, and behind it no-bias; batchnorm; dropout RATE; relu, sigmoid, tanh, gelu, silu, elu,
      selu, softplus, leaky-relu
      rows, an image's rows as a sequence; rnn UNITS, lstm UNITS or gru UNITS, and behind it layers N, both
      for both directions, all for the states of all time steps, no-bias
      residual (LAYERS | LAYERS), the sum of both chains, or concat (LAYERS | LAYERS), both along the channels; beside
      a single chain goes the input as it is: residual (conv 8 3x3 pad 1, relu)

    --transform and --augment name what is done to images, one after the other, with commas between:
    \(ImageOptions.transforms)

    --data csv:FILE trains chains of layers, such as mlp, on rows of a table: the last layer, a dense one, gets as many
    units as there are classes, or one where a number is predicted. Columns are filled, scaled and encoded by what the
    training rows hold. A number that is predicted is standardized by the training rows' mean and deviation; losses and
    errors are in the target's own units all the same.

    Losses are means over the examples, of text over the tokens, in nats, and of numbers mean squared errors: the same
    in training and every test, without penalties, class weights and smoothing. Measures of training are those of the
    steps' own outputs, while the model learns.

    The first Ctrl-C finishes the step and saves, then apus train --resume DIR goes on, bit for bit. So does a terminal that
    is closed. A run whose output is not read any more goes on to its end, and is saved. While a process trains, no other
    one can go on with its run.
    """

  static func run(_ arguments: Arguments) throws {
    // A closed pipe must not end the run: head -1 ends after the first line.
    StandardStreams.surviveClosedPipes()
    var run = try TrainingRun(arguments)
    let epochs = EpochPrinter(isEnabled: arguments[json])
    let report: ProfileReport?
    let trained: TrainedRun
    do {
      report = try arguments[profile].map { try ProfileReport(path: $0) }
      if report != nil, case .steps(1...2) = run.settings.length {
        throw UsageError(command: name, message: "--profile begins with the third step; the run has fewer")
      }
      trained = try run.run(report) { epochs.print($0) }
    } catch {
      run.directory.removeIfUnused()
      throw error
    }
    let interruption = trained.result.interruption.map { Interruption(signal: $0, run: run.directory.path) }
    do {
      try epochs.check()
      if arguments[json] {
        try StandardOutput.write(.object(trained.line(run)))
      } else {
        try StandardOutput.write(line: trained.text(run))
      }
      try report?.check()
    } catch let error as OutputError {
      // A terminal that hung up receives no results: the signal is the reason why the run ended.
      if let interruption { throw interruption }
      throw OutputError(description: "\(error); the run is finished and saved in \(run.directory.path)")
    }
    if let interruption { throw interruption }
  }
}

/// A run that a signal ended gracefully.
struct Interruption: Error, CustomStringConvertible {
  var signal: Int32
  var run: String

  var description: String { "stopped and saved; go on with: apus train --resume \(run)" }
}

/// Prints the records of epochs. A failure to print ends the command with an error, but not the run.
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
    if case .table(let table) = format {
      line["target"] = .string(table.target)
      line["task"] = .string(table.kind.rawValue)
    }
    line[ResultKey.skipped] = skipped.count.map { .integer($0) }
    line["stopped"] = result.stopped.map { .string($0) }
    line["weights_sha256"] = .string(result.weightsSHA256)
    line["output"] = .string(run.directory.path)
    return line
  }

  fileprivate func text(_ run: TrainingRun) -> String {
    var rows = [("model", "\(run.settings.model.name) on \(device.name), seed \(run.settings.seed)")]
    rows.append(("steps", "\(result.steps.grouped) in \(result.epochs) \(result.epochs == 1 ? "epoch" : "epochs")"))
    if let reason = result.stopped { rows.append(("stopped", reason)) }
    for (split, metrics) in result.results.measured {
      rows.append(("\(split.rawValue) loss", metrics.loss.text(places: 4)))
      if let accuracy = metrics.accuracy { rows.append(("\(split.rawValue) accuracy", accuracy.text(places: 4))) }
    }
    rows += measures?.rows ?? []
    if case .table(let table) = format, case .numbers = table.task {
      rows.append(("losses", "mean squared errors of \(table.target), in its own units"))
    }
    let rate = result.stepsPerSecond.map { ", \($0.text(places: 1)) steps a second" } ?? ""
    let loader = result.loaderShare.map { ", \($0.percent(places: 1)) of it waiting for examples" } ?? ""
    let session = "\(result.sessionSeconds.text(places: 1)) s"
    let isResumed = result.seconds > result.sessionSeconds
    let whole = isResumed ? "\(result.seconds.text(places: 1)) s, \(session) in this session" : session
    rows.append(("time", "\(whole)\(rate)\(loader)"))
    rows += skipped.rows
    rows.append(("weights", result.weightsSHA256))
    rows.append(("output", run.directory.path))
    return Help.rows(rows)
  }
}
