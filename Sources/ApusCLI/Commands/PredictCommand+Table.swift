import Apus

extension PredictCommand {
  /// Predicts every row of the files. All files are read before the first result is printed: a malformed one is found
  /// early.
  static func predictRows(_ stored: StoredModel, _ format: TableFormat, _ arguments: Arguments) throws {
    let tables = try arguments.all(files).map { file in
      let table = try format.encoder.table(
        path: file, options: stored.settings.table?.reading ?? TableOptions(), target: format.target,
        holding: format.targetKind, needsTarget: false)
      return (file, table)
    }
    let device = try ComputeDevice.chosen(by: arguments[device])
    var count = 0
    try withDevice(device) {
      let model = try stored.load()
      for (file, table) in tables {
        func inputs(_ rows: [Int32]) throws -> Tensor {
          Tensor(try format.encoder.encode(table, rows: rows), shape: [rows.count, format.encoder.width])
        }
        let classifier = Classifier(model: model, count: table.rowCount, inputs: inputs)
        if case .classes(let names) = format.task {
          try classifier.run(threshold: arguments[threshold]) { prediction in
            let name = prediction.label < names.count ? names[prediction.label] : String(prediction.label)
            try write(
              prediction, (file, prediction.index), name, arguments, line: table.line(of: prediction.index))
            count += 1
          }
        } else {
          try classifier.runBatches { index, outputs in
            guard let output = outputs.first, output.isFinite else { throw ModelError.notFinite }
            let value = format.value(output)
            try write(value, (file, index), arguments[json], line: table.line(of: index))
            count += 1
          }
        }
      }
    }
    guard arguments[json] else { return }
    var line = summary(count, stored, device)
    line["target"] = .string(format.target)
    try StandardOutput.write(.object(line))
  }

  private static func write(
    _ value: Double, _ place: (file: String, index: Int), _ isJSON: Bool, line: Int
  ) throws {
    guard isJSON else {
      return try StandardOutput.write(line: "\(place.file) line \(line): \(RegressionReport.text(value))")
    }
    try StandardOutput.write([
      "file": .string(place.file), "index": .integer(place.index), "line": .integer(line), "value": .number(value),
    ])
  }
}
