import Apus
import ApusRuns

enum ModelsCommand: Command {
  static let name = "models"
  static let summary = "list the models"
  static let json = Flag("json", help: "print one JSON object per line")
  static let declarations = [json.declaration]
  static let discussion = """
    --layers defines any other chain of layers, in the notation of this list. The numbers of parameters of text models
    are for the largest vocabulary and two classes.
    """

  static func run(_ arguments: Arguments) throws {
    var table = TextTable("MODEL", "INPUT", "PARAMETERS", "")
    for model in ModelDescription.all {
      // Nothing is computed: the device is needed only to create tensors.
      let parameters = try withDevice(.named("cpu")) { try model.exampleModel().parameters }
      let count = parameters.reduce(0) { $0 + $1.shape.elementCount }
      if arguments[json] {
        try StandardOutput.write(model.json(parameterCount: count))
      } else {
        table.append(model.name, model.inputText, count.grouped, model.layersText ?? model.summary)
      }
    }
    if !arguments[json] { try StandardOutput.write(line: table.text) }
  }
}

extension ModelDescription {
  fileprivate var layersText: String? {
    if case .images(let network) = kind { network.layers?.description } else { nil }
  }

  fileprivate var inputText: String {
    switch kind {
    case .images(let network): network.inputSize.map(String.init).joined(separator: "x")
    case .language(let network), .texts(let network): "\(network.sequenceLength) \(network.tokenizer)s"
    }
  }

  fileprivate func json(parameterCount: Int) -> JSON {
    var object: JSONObject = [
      "name": .string(name), "summary": .string(summary), "parameters": .integer(parameterCount),
      "data": .string(recipe.data),
    ]
    switch kind {
    case .images(let network):
      object["input_size"] = .array(network.inputSize.map { .integer($0) })
      object["layers"] = network.layers.map { .string($0.description) }
    case .language(let network), .texts(let network):
      object["sequence_length"] = .integer(network.sequenceLength)
      object["tokenizer"] = .string(network.tokenizer)
    }
    return .object(object)
  }
}
