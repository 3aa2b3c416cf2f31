import Apus

enum DatasetsCommand: Command {
  static let name = "datasets"
  static let summary = "list the data sets that --data takes"
  static let json = Flag("json", help: "print one JSON object a line")
  static let declarations = [json.declaration]

  static func run(_ arguments: Arguments) throws {
    if arguments[json] {
      for dataset in DatasetDescription.all { try StandardOutput.write(dataset.json) }
      return
    }
    var table = Table("SOURCE", "IMAGES", "CLASSES", "INSTALLED", "")
    for dataset in DatasetDescription.all {
      table.append(
        dataset.source, dataset.imageSize.map(String.init).joined(separator: "x"),
        String(dataset.classNames.count), dataset.isInstalled.map { $0 ? "yes" : "no" } ?? "-",
        dataset.summary)
    }
    try StandardOutput.write(line: table.text)
  }
}

extension DatasetDescription {
  fileprivate var json: JSON {
    var object: JSONObject = [
      "name": .string(name), "source": .string(source), "summary": .string(summary),
      "image_size": .array(imageSize.map { .integer($0) }),
      "classes": .array(classNames.map { .string($0) }),
    ]
    if let isInstalled { object["installed"] = .bool(isInstalled) }
    if let defaultDirectory { object["directory"] = .string(defaultDirectory) }
    return .object(object)
  }
}
