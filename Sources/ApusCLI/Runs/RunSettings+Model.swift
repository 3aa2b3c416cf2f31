import Apus

extension RunSettings {
  /// The number of outputs of the last layer; `nil` for the number that the layer itself specifies. A model of the
  /// catalog has an output for each class.
  private func outputs(for format: ImageFormat) -> Int? {
    classes ?? (hasOwnLayers ? nil : format.classNames.count)
  }

  /// The number of outputs for a table: one for each class, or one for a predicted number.
  private func outputs(for format: TableFormat) -> Int { classes ?? format.outputCount }

  /// Refuses fewer outputs than the data have classes.
  private func checkClasses(_ format: DataFormat) throws(UsageError) {
    guard let classes, classes < format.classNames.count else { return }
    throw UsageError(
      command: command,
      message: "--classes \(classes) is less than the \(format.classNames.count) classes of the data")
  }

  /// The model for data of a format, with new weights.
  func makeModel(for format: DataFormat) throws -> any Layer {
    try checkClasses(format)
    switch (model.kind, format) {
    case (.images(let network), .images(let format)):
      return try network.classifier(
        input: format.size, classes: format.classNames.count, outputs: outputs(for: format), stem: image.stem)
    case (.images(let network), .table(let format)):
      return try network.tableModel(width: format.encoder.width, codes: format.codes, outputs: outputs(for: format))
    case (.language(let network), .text(let format)):
      return try network.languageModel(vocabulary: format.tokenizer.count)
    case (.texts(let network), .text(let format)):
      let count = format.classNames?.count ?? 0
      return try network.classifier(vocabulary: format.tokenizer.count, classes: classes ?? count)
    default:
      throw ModelError.misfit("\(model.name) does not take such data")
    }
  }

  /// The model for data of a format, with new weights, for training on the current device. Throws if the device has too
  /// little memory for it.
  func makeModel(for format: DataFormat, rule: any UpdateRule) throws -> any Layer {
    try checkClasses(format)
    if case (.images(let network), .images(let images)) = (model.kind, format), network.layers != nil {
      try network.checkMemory(input: images.size, outputs: outputs(for: images), rule: rule)
      return try makeModel(for: format)
    }
    if case (.images(let network), .table(let table)) = (model.kind, format) {
      try network.checkTableMemory(
        width: table.encoder.width, codes: table.codes, outputs: outputs(for: table), rule: rule)
      return try makeModel(for: format)
    }
    // Nothing has been computed yet: parameters are descriptions until their first use.
    let made = try makeModel(for: format)
    try ModelDescription.checkMemory(
      parameters: made.parameters.reduce(0) { $0 + $1.shape.elementCount }, rule: rule)
    return made
  }
}
