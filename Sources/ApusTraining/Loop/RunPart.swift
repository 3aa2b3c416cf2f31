/// The results of a run on one split of its data: the loss and the measures, accuracy first.
struct RunPart {
  /// The prefix of its keys in records: `train`, `validation` or `test`.
  let key: String
  let loss: Double?
  let measures: [(name: String, value: Double)]

  private init(_ key: String, _ loss: Double?, accuracy: Double?, _ others: [String: Double]) {
    (self.key, self.loss) = (key, loss)
    measures =
      (accuracy.map { [(Objective.accuracy, $0)] } ?? []) + others.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
  }

  /// The results of all measured splits, training first.
  static func all(of state: TrainingState) -> [RunPart] {
    var train = state.trainMeasures
    let accuracy = train.removeValue(forKey: Objective.accuracy)
    return [
      RunPart("train", state.trainLoss, accuracy: accuracy, train),
      RunPart("validation", state.validationLoss, accuracy: state.validationAccuracy, state.validationMeasures),
      RunPart("test", state.testLoss, accuracy: state.testAccuracy, state.testMeasures),
    ].filter { $0.loss != nil }
  }

  /// `top5_accuracy` becomes `top5 accuracy`.
  static func words(_ name: String) -> String { name.replacing("_", with: " ") }

  /// The measures with the split's name in front: `test accuracy`.
  var named: [(name: String, value: Double)] { measures.map { ("\(key) \(RunPart.words($0.name))", $0.value) } }

  /// `test loss 0.4017` and `test accuracy 0.8561`; the first measure has the lowest rank and is left out last.
  var fields: [StatusLine.Field] {
    let isTrain = key == "train"
    var fields = loss.map { [StatusLine.Field("\(key) loss \($0.text(places: 4))", rank: isTrain ? 4 : 5)] } ?? []
    for (place, measure) in named.enumerated() {
      let rank = place > 0 ? 7 : isTrain ? 2 : 1
      fields.append(StatusLine.Field("\(measure.name) \(measure.value.text(places: 4))", rank: rank))
    }
    return fields
  }
}
