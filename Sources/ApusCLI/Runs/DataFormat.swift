import Apus

/// What a trained model has to know of its data to take more of it.
enum DataFormat: Sendable {
  case images(ImageFormat)
  case text(TextFormat)
  case table(TableFormat)

  /// The member of a checkpoint's configuration that it is kept in.
  private var key: String {
    switch self {
    case .images: "images"
    case .text: "text"
    case .table: "table"
    }
  }

  private var json: JSON {
    switch self {
    case .images(let format): format.json
    case .text(let format): format.json
    case .table(let format): format.json
    }
  }

  /// What a checkpoint keeps of a run besides its state.
  func configuration(_ settings: RunSettings) -> JSONObject {
    ["settings": .object(settings.json), key: json]
  }

  /// - Returns: `nil` when the configuration does not say what data the model takes.
  init?(_ configuration: JSONObject) {
    if let images = ImageFormat(configuration["images"]) {
      self = .images(images)
    } else if let text = TextFormat(configuration["text"]) {
      self = .text(text)
    } else if let table = TableFormat(configuration["table"]) {
      self = .table(table)
    } else {
      return nil
    }
  }

  /// Whether data of both formats are the same to a model.
  static func == (one: DataFormat, other: DataFormat) -> Bool { one.key == other.key && one.json == other.json }
}

extension ModelDescription {
  /// One input of the model, of images those that it was trained with.
  func exampleInput(_ format: DataFormat) -> ModelSummary.Input {
    switch format {
    case .images(let format): ModelSummary.Input(format.size)
    case .text: exampleInput()
    case .table(let format): ModelSummary.Input([format.encoder.width])
    }
  }
}
