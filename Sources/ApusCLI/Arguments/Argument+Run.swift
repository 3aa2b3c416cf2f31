import ApusRuns

extension Argument<String> {
  /// The folder of a run or a checkpoint, see `Run`.
  static let run = Argument(
    ValueKind<String>("RUN", expectation: "a run or a checkpoint", completion: .folders) { $0.isEmpty ? nil : $0 },
    help: "the folder of a run (for its newest checkpoint) or of a checkpoint")
}

extension Run {
  /// Throws an error if one of these options for classifiers is given, but the model is not a classifier.
  func checkClassifier(_ declarations: [Declaration], _ arguments: Arguments) throws(OptionError) {
    guard !format.isClassifier, let given = declarations.first(where: { arguments.contains($0) }) else { return }
    throw OptionError("--\(given.name) is for classifiers, but \(settings.model.name) is \(format.modelName)")
  }
}
