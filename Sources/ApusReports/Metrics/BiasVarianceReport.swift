import ApusData

/// Verdicts (high bias, high variance, both or neither) on a classifier as a whole, on each of its classes, and on
/// slices of the data.
///
/// With many classes and slices, some findings are due to chance: an avoidable bias or variance that is really 0 is
/// measured above 1.96 standard errors, the default of `thresholds.deviations`, in about one of forty cases. A larger
/// value gives fewer findings, which are more certain.
public struct BiasVarianceReport: Sendable {
  /// A subset of examples with a common property.
  public struct Slice: Hashable, Sendable {
    public var name: String
    /// The indices of training examples; `nil` for all of them.
    public var train: [Int]?
    /// The indices of validation examples.
    public var validation: [Int]

    public init(name: String, train: [Int]? = nil, validation: [Int]) {
      self.name = name
      self.train = train
      self.validation = validation
    }
  }

  /// The verdict on a class or a slice.
  public struct Part: Hashable, Sendable {
    public var name: String
    /// The comparison of the errors on the examples of the class or slice.
    public var result: BiasVariance
  }

  /// The verdict on all examples.
  public let overall: BiasVariance
  /// The classes that occur in both the training and the validation examples, by index.
  public let classes: [Part]
  /// The slices that have examples.
  public let slices: [Part]

  /// Compares the predictions of a classifier on its training examples with its predictions on other examples.
  /// - Parameters:
  ///   - bayes: the lowest possible error, or the error of people.
  ///   - classNames: the names of the classes by index; a class without a name is called by its index.
  /// - Throws: when a slice names an example that does not exist.
  public init(
    train: ClassificationResults, validation: ClassificationResults, bayes: Double = 0, classNames: [String] = [],
    slices: [Slice] = [], thresholds: BiasVariance.Thresholds = BiasVariance.Thresholds()
  ) throws(MeasureError) {
    func compare(_ train: MeasuredError, _ validation: MeasuredError) -> BiasVariance {
      BiasVariance(train: train, validation: validation, bayes: bayes, thresholds: thresholds)
    }
    let all = MeasuredError(wrong: train.count - train.confusion.correctCount, of: train.count)
    overall = compare(
      all, MeasuredError(wrong: validation.count - validation.confusion.correctCount, of: validation.count))
    let measures = Array(zip(train.confusion.measures, validation.confusion.measures))
    classes = measures.indices.filter { measures[$0].0.support > 0 && measures[$0].1.support > 0 }.map {
      let name = $0 < classNames.count ? classNames[$0] : String($0)
      return Part(name: name, result: compare(measures[$0].0.error, measures[$0].1.error))
    }
    var parts: [Part] = []
    for slice in slices where !slice.validation.isEmpty && slice.train?.isEmpty != true {
      let known = try slice.train.map { (numbers) throws(MeasureError) in try train.error(of: numbers, slice.name) }
      let other = try validation.error(of: slice.validation, slice.name)
      parts.append(Part(name: slice.name, result: compare(known ?? all, other)))
    }
    self.slices = parts
  }

  /// The verdicts as lines of text: the overall verdict, then the verdicts of classes and slices with high bias or
  /// variance.
  public var text: String {
    func lines(_ parts: [Part], _ name: String) -> [String] {
      parts.filter { $0.result.verdict != .low }.map { part in
        let (bias, variance) = (part.result.avoidableBias, part.result.variance)
        return "\(name) \(part.name): \(part.result.verdict.rawValue) (avoidable bias \(bias.percent(places: 1)), "
          + "variance \(variance.percent(places: 1)))"
      }
    }
    return ([overall.text] + lines(classes, "class") + lines(slices, "slice")).joined(separator: "\n")
  }

  public var json: JSON {
    var object = overall.json.object ?? JSONObject()
    for (key, parts) in [("classes", classes), ("slices", slices)] where !parts.isEmpty {
      object[key] = .array(
        parts.map { part in
          var line: JSONObject = ["name": .string(part.name)]
          // The remedies follow from the verdict, so the entries of classes and slices leave them out.
          for (key, value) in part.result.json.object ?? JSONObject() where key != "remedies" { line[key] = value }
          return .object(line)
        })
    }
    return .object(object)
  }
}

extension ClassMeasures {
  fileprivate var error: MeasuredError { MeasuredError(wrong: support - truePositives, of: support) }
}

extension ClassificationResults {
  /// The error on the examples with the given indices.
  fileprivate func error(of examples: [Int], _ slice: String) throws(MeasureError) -> MeasuredError {
    if let number = examples.first(where: { !labels.indices.contains($0) }) {
      throw MeasureError(reason: "slice \(slice) has the example \(number), but there are only \(count) examples")
    }
    return MeasuredError(wrong: examples.count { predicted[$0] != labels[$0] }, of: examples.count)
  }
}
