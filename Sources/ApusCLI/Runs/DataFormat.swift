import Apus

/// The format of the data that a model was trained with, as needed to prepare other data.
enum DataFormat: Sendable {
  case images(ImageFormat)
  case text(TextFormat)
  case table(TableFormat)

  /// The key of the format in a checkpoint's configuration.
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

  /// The configuration that a checkpoint stores in addition to its state.
  func configuration(_ settings: RunSettings) -> JSONObject {
    ["settings": .object(settings.json), key: json]
  }

  /// - Returns: `nil` when the configuration contains no data format.
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

  /// Whether both formats prepare data in the same way.
  static func == (one: DataFormat, other: DataFormat) -> Bool { one.key == other.key && one.json == other.json }
}

extension ModelDescription {
  /// One input of the model; for images of the size that it was trained with.
  func exampleInput(_ format: DataFormat) -> ModelSummary.Input {
    switch format {
    case .images(let format): ModelSummary.Input(format.size)
    case .text: exampleInput()
    case .table(let format): ModelSummary.Input([format.encoder.width])
    }
  }
}
