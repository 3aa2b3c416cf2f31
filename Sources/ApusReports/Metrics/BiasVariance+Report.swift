import ApusData

extension BiasVariance.Verdict {
  /// Possible remedies, the most promising first. For `both`, remedies against bias come first, because remedies
  /// against variance can only be judged with a model that fits.
  public var remedies: [String] {
    let bias = [
      "a larger network: more layers or wider ones", "longer training, or a better optimizer and learning rate",
      "an architecture designed for such data",
      "less regularization: lower weight decay, dropout and augmentation",
    ]
    let variance = [
      "more training data", "regularization: weight decay, dropout, early stopping",
      "augmentation of the training data", "a smaller network, or an architecture that shares more weights",
    ]
    return switch self {
    case .low: []
    case .bias: bias
    case .variance: variance
    case .both: bias + variance
    }
  }

  /// The verdict in words.
  public var text: String {
    switch self {
    case .low: "low bias and variance"
    case .bias: "high bias: the model does not fit the training data"
    case .variance: "high variance: the model does not generalize"
    case .both: "high bias and variance"
    }
  }
}

extension BiasVariance {
  /// Remarks on the numbers; empty if there are none.
  public var notes: [String] {
    var notes: [String] = []
    if !hasEnoughExamples {
      notes.append(
        "\(min(train.count, validation.count)) examples are too few for a verdict, which needs \(thresholds.examples)")
    }
    if variance < 0, -variance > varianceMargin {
      notes.append("the validation error is below the training error: do both sets come from the same source?")
    }
    if avoidableBias < 0, -avoidableBias > biasMargin {
      notes.append("the training error is below the Bayes or human error, which is then not the lowest possible")
    }
    return notes
  }

  /// The numbers and the verdict, as lines of text.
  public var text: String {
    func percent(_ share: Double) -> String { share.percent(places: 2) }
    let lines = [
      "training error \(percent(train.value)) of \(train.count.grouped) examples, validation error "
        + "\(percent(validation.value)) of \(validation.count.grouped), Bayes or human error \(percent(bayes))",
      "avoidable bias \(percent(avoidableBias)) (sampling error ± \(percent(biasMargin))), variance "
        + "\(percent(variance)) (sampling error ± \(percent(varianceMargin)))",
      "verdict: \(verdict.text)",
    ]
    return (lines + notes.map { "note: \($0)" } + verdict.remedies.map { "try \($0)" }).joined(separator: "\n")
  }

  public var json: JSON {
    var object: JSONObject = [
      "verdict": .string(verdict.rawValue), "train_error": .number(train.value),
      "validation_error": .number(validation.value), "bayes_error": .number(bayes),
      "avoidable_bias": .number(avoidableBias), "bias_margin": .number(biasMargin), "variance": .number(variance),
      "variance_margin": .number(varianceMargin), "train_examples": .integer(train.count),
      "validation_examples": .integer(validation.count),
    ]
    if !notes.isEmpty { object["notes"] = .array(notes.map { .string($0) }) }
    if !verdict.remedies.isEmpty { object["remedies"] = .array(verdict.remedies.map { .string($0) }) }
    return .object(object)
  }
}
