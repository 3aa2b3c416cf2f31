import ApusSystem

/// The fractions of examples to hold out, and the seed of the random selection.
public struct SplitOptions: Hashable, Sendable {
  /// The test fraction, for data without their own test split; with 0, such data have no test split.
  public var test: Double
  /// The validation fraction, for data without their own validation split; 0 by default.
  public var validation: Double
  /// Equal seeds give equal splits.
  public var seed: UInt64

  /// - Precondition: neither fraction is negative, and their sum is less than 1.
  public init(test: Double = 0.2, validation: Double = 0, seed: UInt64 = 0) {
    guard test >= 0, validation >= 0, test + validation < 1 else {
      fatalError(
        "SplitOptions: the fractions \(test) and \(validation) must not be negative, and their sum must be less than 1")
    }
    self.test = test
    self.validation = validation
    self.seed = seed
  }
}

/// A partition of examples into training, validation and test splits.
///
/// The splits depend only on the labels, the fractions and the seed. The test split does not depend on the validation
/// fraction. The order in which the examples of a class are selected depends only on these examples, the class number
/// and the seed. How many of them are selected also depends on the other classes.
public struct Split: Hashable, Sendable {
  /// The indices of the training examples, in ascending order.
  public let train: [Int32]
  /// The indices of the validation examples, in ascending order.
  public let validation: [Int32]
  /// The indices of the test examples, in ascending order.
  public let test: [Int32]

  /// Splits every class by the same fractions.
  ///
  /// Of `n` examples, a held-out split gets `n · fraction`, rounded. Of the `n_c` examples of class `c`, the split gets
  /// `n_c · fraction`, rounded up or down by the method of largest remainders. At least one example of each class stays
  /// in the training split, even if a held-out split is then smaller than requested.
  ///
  /// - Parameter labels: the class of each example
  public init(labels: [Int32], _ options: SplitOptions) {
    let members = Dictionary(grouping: labels.indices.map(Int32.init)) { labels[Int($0)] }
      .sortedArray { $0.key < $1.key }
    let counts = members.map(\.value.count)
    let tests = Split.apportion(counts, options.test, atMost: counts.map { $0 - 1 })
    let validations = Split.apportion(
      counts, options.validation, atMost: zip(counts, tests).map { $0 - 1 - $1 })
    var parts: (train: [Int32], validation: [Int32], test: [Int32]) = ([], [], [])
    for (index, (label, numbers)) in members.enumerated() {
      let order = Split.shuffled(numbers, seed: options.seed, label)
      let (first, second) = (tests[index], tests[index] + validations[index])
      parts.test += order[..<first]
      parts.validation += order[first..<second]
      parts.train += order[second...]
    }
    train = parts.train.sorted()
    validation = parts.validation.sorted()
    test = parts.test.sorted()
  }

  init(train: [Int32], validation: [Int32], test: [Int32]) {
    (self.train, self.validation, self.test) = (train, validation, test)
  }

  /// Splits examples without classes.
  public init(count: Int, _ options: SplitOptions) {
    self.init(labels: [Int32](repeating: 0, count: count), options)
  }

  /// The number of examples that each class contributes to a held-out split. By the method of largest remainders, class
  /// `c` contributes about `counts[c] · share` of its `counts[c]` examples, and at most `limits[c]`.
  private static func apportion(_ counts: [Int], _ share: Double, atMost limits: [Int]) -> [Int] {
    let wanted = Int((Double(counts.reduce(0, +)) * share).rounded())
    let quotas = counts.map { Double($0) * share }
    var given = zip(quotas, limits).map { min(Int($0), $1) }
    // Equal remainders are ordered by class number.
    let order = quotas.indices.sortedArray {
      let remainders = (quotas[$0] - Double(Int(quotas[$0])), quotas[$1] - Double(Int(quotas[$1])))
      return remainders.0 == remainders.1 ? $0 < $1 : remainders.0 > remainders.1
    }
    var rest = wanted - given.reduce(0, +)
    // Each class gives its quota, rounded down, or one example more. If too many classes are at their limits, the split
    // stays smaller than `wanted`.
    for index in order where rest > 0 && given[index] < limits[index] {
      given[index] += 1
      rest -= 1
    }
    return given
  }

  private static func shuffled(_ numbers: [Int32], seed: UInt64, _ label: Int32) -> [Int32] {
    let random = CounterRandom(seed: seed, stream: stream | UInt64(UInt32(bitPattern: label)))
    return numbers.shuffled { random.integer(below: $0, at: $1) }
  }

  /// The index of the random stream of class 0. It is far above the indices, counted from 0, of the streams that order
  /// the examples of epochs.
  private static let stream: UInt64 = 0x7370_6c74 << 32
}
