import Apus
import ApusFiles

enum SummaryCommand: Command {
  static let name = "summary"
  static let summary = "show a model's layers, shapes, parameters, operations and memory"
  static let model = Argument(
    ValueKind<String>("MODEL|FILE", expectation: "a model or a file", completion: ValueKind.model.completion) {
      $0.isEmpty ? nil : $0
    },
    isRequired: false,
    help:
      "the name of a model, the directory of a run or checkpoint, or a safetensors file (./NAME where a model has that "
      + "name); with --layers any name")
  static let layers = RunOptions.layers
  static let json = Flag("json", help: "print one JSON object for each layer, then one for the model")
  static let classes = RunOptions.classes
  static let declarations =
    [model.declaration, layers.declaration, classes.declaration, json.declaration] + ImageOptions.shape
    + TextOptions.declarations.filter { $0.name != TextOptions.tokenizer.name }
  static let discussion = """
    Multiply-accumulate operations and bytes of activations are those of one example, forward. What a run or a file holds
    is as it is: the options are for models of the list and --layers.
    """

  static func run(_ arguments: Arguments) throws {
    // What a model's name says does not depend on what lies in the working directory.
    let isNamed = ModelDescription.all.contains { $0.name == arguments[model] }
    if let path = arguments[model], arguments[layers] == nil, !isNamed {
      if FileSystem.isDirectory(path) {
        try refuseOptions(arguments, path)
        let stored = try StoredModel(path: path, command: name)
        return try describe(
          stored.settings.model.name, stored.settings.makeModel(for: stored.format),
          stored.settings.model.exampleInput(stored.format), arguments)
      }
      if FileSystem.exists(path) || path.contains("/") {
        try refuseOptions(arguments, path)
        return try TensorTable(path).write(arguments[json])
      }
    }
    var choice = Arguments()
    if let name = arguments[model] { choice.append(name, for: RunOptions.model.declaration) }
    if let text = arguments[layers] { choice.append(text, for: layers.declaration) }
    let description = try ModelDescription.chosen(by: choice, command: name).changed(by: arguments, command: name)
    let image = try ImageSettings(arguments, for: description, command: name)
    var input = description.exampleInput()
    if let size = image.size { input.extents = [input.extents[0], size, size] }
    if let channels = image.channels { input.extents[0] = channels }
    if arguments[classes] != nil, case .language = description.kind {
      throw UsageError(
        command: name, message: "--classes is for classifiers, \(description.name) is a language model")
    }
    let extents = input.extents
    try describe(
      description.name,
      description.exampleModel(input: extents, classes: arguments[classes], stem: image.stem), input, arguments)
  }

  private static func refuseOptions(_ arguments: Arguments, _ path: String) throws(UsageError) {
    let options = declarations.filter { $0.name != model.name && $0.name != json.name }
    guard let given = options.first(where: { arguments.contains($0) }) else { return }
    throw UsageError(command: name, message: "--\(given.name) is for models that are named, \(path) is what it is")
  }

  private static func describe(
    _ name: String, _ model: @autoclosure () throws -> any Layer, _ input: ModelSummary.Input,
    _ arguments: Arguments
  ) throws {
    // Nothing is computed: the device only gives the tensors a place.
    let summary = try withDevice(.named("cpu")) { try ModelSummary(of: model(), input: input) }
    guard arguments[json] else { return try StandardOutput.write(line: summary.description) }
    for row in summary.rows { try StandardOutput.write(row.json) }
    try StandardOutput.write([
      "model": .string(name), "input": extents(summary.input), "output": extents(summary.output),
      "parameters": .integer(summary.trainableCount + summary.frozenCount),
      "trainable_parameters": .integer(summary.trainableCount), "statistics": .integer(summary.statisticCount),
      "macs": .integer(summary.multiplyAccumulates), "activation_bytes": .integer(summary.activationByteCount),
    ])
  }

  fileprivate static func extents(_ extents: [Int]) -> JSON { .array(extents.map { .integer($0) }) }
}

extension ModelSummary.Row {
  fileprivate var json: JSON {
    [
      "layer": .string(path), "type": .string(type), "output": SummaryCommand.extents(output),
      "parameters": .integer(parameterCount), "macs": .integer(multiplyAccumulates),
    ]
  }
}

/// What a safetensors file holds.
private struct TensorTable {
  let file: Safetensors.File

  init(_ path: String) throws { file = try Safetensors.File(path: path) }

  private var elementCount: Int {
    file.header.entries.reduce(0) { $0 + $1.shape.reduce(1, *) }
  }

  func write(_ isJSON: Bool) throws {
    var table = Table("TENSOR", "TYPE", "SHAPE")
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
