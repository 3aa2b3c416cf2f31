import Apus

extension StoredModel {
  /// Refuses options of classifiers if the model is not a classifier.
  func checkClassifier(_ declarations: [Declaration], _ arguments: Arguments, command: String) throws(UsageError) {
    guard !format.isClassifier, let given = declarations.first(where: { arguments.contains($0) }) else { return }
    throw UsageError(
      command: command, message: "--\(given.name) is for classifiers, \(settings.model.name) is \(format.modelName)")
  }
}

/// Refuses a threshold unless there are two classes.
func checkThreshold(_ threshold: Double?, classCount: Int, command: String) throws(UsageError) {
  guard let threshold, classCount != 2 else { return }
  throw UsageError(
    command: command, message: "--threshold \(threshold): a threshold is for two classes, there are \(classCount)")
}
