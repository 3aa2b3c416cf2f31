import Apus

extension RunSettings {
  /// The model for data of a format, with new weights.
  package func makeModel(for format: any DataFormat) throws -> any Layer {
    if let classes, classes < format.classNames.count {
      throw OptionError("--classes \(classes) is less than the \(format.classNames.count) classes of the data")
    }
    return try format.model(self)
  }

  /// The model for data of a format, with new weights, for training on the current device. Throws if the device has too
  /// little memory for the training.
  package func makeModel(for format: any DataFormat, rule: any UpdateRule) throws -> any Layer {
    // The check may build a model to count its parameters; it must not consume the random keys of the real model.
    try withRandomKey(RunSeeds(seed).initialization) { try format.checkMemory(self, rule: rule) }
    return try makeModel(for: format)
  }
}
