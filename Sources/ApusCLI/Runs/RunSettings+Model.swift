import Apus

extension RunSettings {
  /// The number of outputs of the last layer; `nil` for as many as it says itself. A model of the catalog takes as
  /// many as there are classes.
  private func outputs(for format: ImageFormat) -> Int? {
    classes ?? (hasOwnLayers ? nil : format.classNames.count)
  }

  /// The number of outputs for a table: one for each class, or for the number that is predicted.
  private func outputs(for format: TableFormat) throws(ModelError) -> Int {
    let count = classes ?? format.outputCount
    guard count >= format.outputCount else {
      throw .misfit("--classes \(count) is less than the \(format.outputCount) classes of the data")
    }
    return count
  }

  /// The model for some data, with new weights.
  func makeModel(for format: DataFormat) throws -> any Layer {
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
      guard classes ?? count >= count else {
        throw ModelError.misfit("--classes \(classes ?? 0) is less than the \(count) classes of the data")
      }
      return try network.classifier(vocabulary: format.tokenizer.count, classes: classes ?? count)
    default:
      throw ModelError.misfit("\(model.name) does not take such data")
    }
  }

  /// The model for some data, with new weights, for training on the current device: refused where that has too little
  /// memory for it.
  func makeModel(for format: DataFormat, rule: any UpdateRule) throws -> any Layer {
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
