import Apus
import ApusRuns

enum DatasetsCommand: Command {
  static let name = "datasets"
  static let summary = "list the data sets that --data takes"
  static let json = Flag("json", help: "print one JSON object per line")
  static let declarations = [json.declaration]

  static func run(_ arguments: Arguments) throws {
    if arguments[json] {
      for dataset in DatasetDescription.all { try StandardOutput.write(dataset.json) }
      return
    }
    var table = TextTable("SOURCE", "CONTENT", "CLASSES", "INSTALLED", "")
    for dataset in DatasetDescription.all {
      table.append(
        dataset.source, dataset.contentText, dataset.classNames.map { String($0.count) } ?? "-",
        dataset.isInstalled.map { $0 ? "yes" : "no" } ?? "-",
        dataset.summary)
    }
    try StandardOutput.write(line: table.text)
  }
}

extension DatasetDescription {
  /// For example `images 1x28x28` or `text`.
  fileprivate var contentText: String {
    ([contentName] + (imageSize.map { [$0.map(String.init).joined(separator: "x")] } ?? [])).joined(separator: " ")
  }

  fileprivate var json: JSON {
    var object: JSONObject = [
      "name": .string(name), "source": .string(source), "summary": .string(summary),
      "content": .string(contentName),
    ]
    object["image_size"] = imageSize.map { .array($0.map { .integer($0) }) }
    object["classes"] = classNames.map { .array($0.map { .string($0) }) }
    if let isInstalled { object["installed"] = .bool(isInstalled) }
    if let defaultPath { object["path"] = .string(defaultPath) }
    return .object(object)
  }
}
