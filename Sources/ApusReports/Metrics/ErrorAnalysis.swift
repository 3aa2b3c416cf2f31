import ApusData
import ApusSystem

/// A list of examples by descending loss: the misclassified examples of a classifier, or the examples with the largest
/// losses of a regression. It helps to find what these examples have in common.
///
/// (Ng, "Machine Learning Yearning", chapters 14–19.)
public struct ErrorAnalysis: Sendable {
  /// A misclassified example, or an example of a regression.
  public struct Entry: Hashable, Sendable {
    /// The example's index in its source, from 0.
    public var example: Int
    /// The name of the example, such as the path of its file.
    public var name: String
    /// The true class, or target.
    public var truth: String
    /// The predicted class, or the model's output.
    public var predicted: String
    /// The probability of the predicted class; `nil` for regression.
    public var probability: Double?
    /// The loss of the example.
    public var loss: Double
  }

  /// Two classes that are confused.
  public struct Confusion: Hashable, Sendable {
    /// The true class.
    public var truth: String
    /// The predicted class.
    public var predicted: String
    public var count: Int
  }

  /// The entries by descending loss. Entries of equal loss are in the order of their indices.
  public let entries: [Entry]
  /// The confused classes, the most frequent first; empty for regression.
  public let confusions: [Confusion]
  /// The number of all examples.
  public let count: Int

  /// The fraction of examples without an entry: the accuracy of a classifier.
  public var accuracy: Double { 1 - ratio(entries.count, count) }

  /// The misclassified examples.
  /// - Parameters:
  ///   - losses: the loss of each example; `nil` for `−log p` of the true class.
  ///   - examples: the index of each example in its source; `nil` for consecutive indices from 0. See
  ///     `Predictions.examples`.
  ///   - names: the names of the examples by index in the source; the example with the index 7 is called `example 7` if
  ///     it has no name.
  ///   - classNames: the names of the classes by index; a class without a name is called by its index.
  public init(
    of results: ClassificationResults, losses: [Float]? = nil, examples: [Int]? = nil, names: [String]? = nil,
    classNames: [String] = []
  ) {
    func className(_ number: Int) -> String { number < classNames.count ? classNames[number] : String(number) }
    let own = losses ?? results.losses
    entries = results.misclassified(losses: own).map { position in
      let (predicted, number) = (Int(results.predicted[position]), examples?[position] ?? position)
      return Entry(
        example: number, name: names.name(number), truth: className(Int(results.labels[position])),
        predicted: className(predicted),
        probability: Double(results.probabilities[position * results.classCount + predicted]),
        loss: Double(position < own.count ? own[position] : 0))
    }
    confusions = results.confusion.confusions.map {
      Confusion(truth: className($0.label), predicted: className($0.predicted), count: $0.count)
    }
    count = results.count
  }

  /// The examples with the largest losses. The loss of an example is the mean of its squared residuals.
  /// - Parameter worst: the maximum number of entries.
  public init(of results: RegressionResults, worst: Int, names: [String]? = nil) {
    let (width, residuals) = (results.outputCount, results.residuals)
    func list(_ values: [Float], _ number: Int) -> String {
      values[number * width..<(number + 1) * width].map { "\($0)" }.joined(separator: " ")
    }
    let all = (0..<results.count).map { number in
      Entry(
        example: number, name: names.name(number), truth: list(results.targets, number),
        predicted: list(results.predicted, number),
        loss: residuals[number * width..<(number + 1) * width].meanSquare)
    }
    let order = worstFirst(Array(all.indices), losses: all.map(\.loss))
    entries = order.prefix(max(0, worst)).map { all[$0] }
    confusions = []
    count = results.count
  }
}

/// The positions by descending loss; positions of equal loss are in ascending order. NaN counts as the largest loss.
private func worstFirst(_ positions: [Int], losses: [Double]) -> [Int] {
  func order(_ position: Int) -> (Double, Int) {
    let loss = position < losses.count ? losses[position] : 0
    return (loss.isNaN ? -.infinity : -loss, position)
  }
  return positions.sortedArray { order($0) < order($1) }
}

extension Optional<[String]> {
  fileprivate func name(_ number: Int) -> String {
    guard let names = self, number < names.count else { return "example \(number)" }
    return names[number]
  }
}

extension ClassificationResults {
  /// The positions of the misclassified examples by descending loss; positions of equal loss are in ascending order.
  /// - Parameter losses: the loss of each example; `nil` for `−log p` of the true class.
  public func misclassified(losses: [Float]? = nil) -> [Int] {
    let wrong = (0..<count).filter { predicted[$0] != labels[$0] }
    return worstFirst(wrong, losses: (losses ?? self.losses).map(Double.init))
  }

  /// `−log p` of the true class of each example, with the probability `p` clipped as in `logLoss`.
  fileprivate var losses: [Float] {
    labels.enumerated().map { Float(clippedLoss($0, Int($1))) }
  }
}
