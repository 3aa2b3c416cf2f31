import Apus
import ApusRuns
import ApusSystem

enum SummaryCommand: Command {
  static let name = "summary"
  static let summary = "show a model's layers, shapes, parameters, operations and memory"
  static let model = Argument(
    ValueKind<String>("MODEL|FILE", expectation: "a model or a file", completion: ValueKind.model.completion) {
      $0.isEmpty ? nil : $0
    },
    isRequired: false,
    help:
      "the name of a model, the folder of a run or checkpoint, or a safetensors file (./NAME if NAME is also a "
      + "model); with --layers any name")
  static let layers = RunOptions.layers
  static let json = Flag("json", help: "print one JSON object for each layer, then one for the model")
  static let classes = RunOptions.classes
  /// The options that are also accepted for a run: the memory of training depends on them, the model does not.
  private static let training = [RunOptions.batchSize.declaration, RunOptions.device.declaration]
  static let declarations =
    [model.declaration, layers.declaration, classes.declaration, json.declaration] + training
    + [RunOptions.optimizer.declaration, RunOptions.precision.declaration] + RunOptions.imageShape
    + RunOptions.textDeclarations.filter { $0.name != RunOptions.tokenizer.name }
  static let discussion = """
    Multiply-accumulate operations and bytes of activations are counted for the forward pass of one example. The memory
    of training is planned for a whole step on the device, and nothing is allocated. If the --batch-size does not fit,
    the exit code is 1 and the message gives the largest size that fits. For a run, only --batch-size, --device and
    --json are accepted; for a file, only --json.
    """

  static func run(_ arguments: Arguments) throws {
    // The name of a model takes precedence over a file of the same name in the current folder.
    let isNamed = ModelDescription.all.contains { $0.name == arguments[model] }
    if let path = arguments[model], arguments[layers] == nil, !isNamed {
      if FileSystem.isDirectory(path) {
        try refuseOptions(arguments, path, allowing: training)
        let stored = try Run(at: path)
        return try describe(
          stored.settings.model.name, stored.settings.makeModel(for: stored.format),
          stored.format.input(stored.settings), PlannedTraining(stored.settings, stored.format),
          batchSize: arguments[RunOptions.batchSize] ?? stored.settings.batchSize, arguments)
      }
      if FileSystem.exists(path) || path.contains("/") {
        try refuseOptions(arguments, path, allowing: [])
        if !FileSystem.exists(path), !path.hasSuffix(".safetensors") { try RunFiles.check(path) }
        return try TensorTable(path).write(arguments[json])
      }
    }
    var given = arguments
    if let name = arguments[model] { given.append(name, for: RunOptions.model.declaration) }
    let settings = try RunSettings(given)
    let (description, image) = (settings.model, settings.image)
    var input = description.exampleInput()
    if let size = image.size { input.extents = [input.extents[0], size, size] }
    if let channels = image.channels { input.extents[0] = channels }
    let extents = input.extents
    let make = { try description.exampleModel(input: extents, classes: arguments[classes], stem: image.stem) }
    try describe(
      description.name, make(), input, PlannedTraining(settings, input: input, model: make),
      batchSize: settings.batchSize, arguments)
  }

  private static func refuseOptions(
    _ arguments: Arguments, _ path: String, allowing allowed: [Declaration]
  ) throws(OptionError) {
    let known = [model.name, json.name] + allowed.map(\.name)
    let options = declarations.filter { !known.contains($0.name) }
    guard let given = options.first(where: { arguments.contains($0) }) else { return }
    throw OptionError("--\(given.name) is for named models and --layers, not for the run or file \(path)")
  }

  private static func describe(
    _ name: String, _ model: @autoclosure () throws -> any Layer, _ input: ModelSummary.Input,
    _ training: PlannedTraining, batchSize: BatchSize, _ arguments: Arguments
  ) throws {
    // Nothing is computed: the device is needed only to create tensors.
    let summary = try withDevice(.named("cpu")) { try ModelSummary(of: model(), input: input) }
    let (memory, refusal) = try training.stated(batchSize, arguments)
    if arguments[json] {
      for row in summary.rows { try StandardOutput.write(row.json) }
      var line = summary.json(name)
      for (key, value) in memory.json { line[key] = value }
      try StandardOutput.write(.object(line))
    } else {
      try StandardOutput.write(line: "\(summary)\n\(memory.text)")
    }
    if let refusal, arguments.contains(RunOptions.batchSize.declaration) { throw refusal }
  }

  fileprivate static func extents(_ extents: [Int]) -> JSON { .array(extents.map { .integer($0) }) }
}

extension ModelSummary {
  fileprivate func json(_ name: String) -> JSONObject {
    [
      "model": .string(name), "input": SummaryCommand.extents(input), "output": SummaryCommand.extents(output),
      "parameters": .integer(trainableCount + frozenCount), "trainable_parameters": .integer(trainableCount),
      "statistics": .integer(statisticCount), "macs": .integer(multiplyAccumulates),
      "activation_bytes": .integer(activationByteCount),
    ]
  }
}

extension PlannedTraining {
  /// The memory of training, as text and as members of the JSON summary.
  fileprivate struct Statement {
    let text: String
    let json: JSONObject
  }

  /// The memory of training on the chosen device, and an error if the device has too little memory.
  fileprivate func stated(
    _ batchSize: BatchSize, _ arguments: Arguments
  ) throws -> (memory: Statement, refusal: TrainingError?) {
    guard let size = batchSize.count else {
      throw OptionError("--batch-size full: this command loads no data; give a number of examples")
    }
    let device = try ComputeDevice.chosen(by: arguments[RunOptions.device])
    let memory: TrainingMemory
    var refusal: TrainingError?
    do {
      memory = try check(batchSize: size, on: device)
    } catch TrainingError.tooLarge(let needed, let limit, let name, let fitting) {
      (memory, refusal) = (needed, .tooLarge(needed, limit: limit, device: name, fitting: fitting))
    }
    var json: JSONObject = [
      "device": .string(device.name), "batch_size": .integer(size), "training_bytes": .integer(memory.byteCount),
      "optimizer_bytes": .integer(memory.optimizerByteCount), "fits": .bool(refusal == nil),
    ]
    if case .tooLarge(_, _, _, let fitting) = refusal { json["fitting_batch_size"] = fitting.map { .integer($0) } }
    let text = "training on \(device.name): \(memory)" + (refusal.map { "\n\($0)" } ?? "")
    return (Statement(text: text, json: json), refusal)
  }
}

extension ModelSummary.Row {
  fileprivate var json: JSON {
    [
      "layer": .string(path), "type": .string(type), "output": SummaryCommand.extents(output),
      "parameters": .integer(parameterCount), "macs": .integer(multiplyAccumulates),
    ]
  }
}

/// The contents of a safetensors file.
private struct TensorTable {
  let file: Safetensors.File

  init(_ path: String) throws { file = try Safetensors.File(path: path) }

  private var elementCount: Int {
    file.header.entries.reduce(0) { $0 + $1.shape.reduce(1, *) }
  }

  func write(_ isJSON: Bool) throws {
    var table = TextTable("TENSOR", "TYPE", "SHAPE")
    for entry in file.header.entries {
      if isJSON {
        try StandardOutput.write([
          "tensor": .string(entry.name), "type": .string(entry.type.rawValue),
          "shape": SummaryCommand.extents(entry.shape),
        ])
      } else {
        table.append(entry.name, entry.type.rawValue, "\(entry.shape)")
      }
    }
    if isJSON {
      try StandardOutput.write([
        "file": .string(file.path), "tensors": .integer(file.header.entries.count),
        "parameters": .integer(elementCount),
      ])
    } else {
      try StandardOutput.write(line: table.text)
      try StandardOutput.write(line: "\(elementCount.grouped) numbers in \(file.header.entries.count) tensors")
    }
  }
}
