import Apus

enum ModelsCommand: Command {
  static let name = "models"
  static let summary = "list the models"
  static let json = Flag("json", help: "print one JSON object a line")
  static let declarations = [json.declaration]
  static let discussion = """
    Any other chain of layers is written with --layers, in the same words as here.
    """

  static func run(_ arguments: Arguments) throws {
    var table = Table("MODEL", "INPUT", "PARAMETERS", "LAYERS")
    for model in ModelDescription.all {
      let parameters = try model.layers.stages(for: model.inputSize).reduce(0) { $0 + $1.parameterCount }
      let input = model.inputSize.map(String.init).joined(separator: "x")
      if arguments[json] {
        try StandardOutput.write([
          "name": .string(model.name), "summary": .string(model.summary), "parameters": .integer(parameters),
          "input_size": .array(model.inputSize.map { .integer($0) }),
          "layers": .string(model.layers.description),
        ])
      } else {
        table.append(model.name, input, parameters.grouped, model.layers.description)
      }
    }
    if !arguments[json] { try StandardOutput.write(line: table.text) }
  }
}
