/// What share of examples is held out, and by which seed they are chosen.
public struct SplitOptions: Hashable, Sendable {
  /// The share to test with, where the data have no test part of their own; with 0 these have no test part at all.
  public var test: Double
  /// The share to choose settings by, where the data have no such part of their own; none by default.
  public var validation: Double
  /// Equal seeds give equal parts.
  public var seed: UInt64

  /// - Precondition: no share is negative, and together they are less than 1.
  public init(test: Double = 0.2, validation: Double = 0, seed: UInt64 = 0) {
    guard test >= 0, validation >= 0, test + validation < 1 else {
      fatalError("SplitOptions: shares of \(test) and \(validation); they must not be negative, their sum below 1")
    }
    self.test = test
    self.validation = validation
    self.seed = seed
  }
}

/// Examples to learn from, to choose settings by and to test with: each is in one of the three parts.
///
/// The parts depend on the labels, the shares and the seed alone. What is tested with does not depend on the share of
/// the validation part, and which examples of a class are held out not on those of other classes, but for their number.
public struct Split: Hashable, Sendable {
  /// The numbers of the examples to learn from, ascending.
  public let train: [Int32]
  /// The numbers of the examples to choose settings by, ascending.
  public let validation: [Int32]
  /// The numbers of the examples to test with, ascending.
  public let test: [Int32]

  /// Splits every class in the same shares.
  ///
  /// A part has `n · share` examples, rounded; how many a class gives follows from its own `n_c · share` by the largest
  /// remainders. At least one example of each class is learnt from, also where a part is smaller than asked for then.
  ///
  /// - Parameter labels: the class of each example
  public init(labels: [Int32], _ options: SplitOptions) {
    let members = Dictionary(grouping: labels.indices.map(Int32.init)) { labels[Int($0)] }
      .sorted { $0.key < $1.key }
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

  /// How many examples each class gives to a part (Hamilton's method), none more than its limit.
  private static func apportion(_ counts: [Int], _ share: Double, atMost limits: [Int]) -> [Int] {
    let wanted = Int((Double(counts.reduce(0, +)) * share).rounded())
    let quotas = counts.map { Double($0) * share }
    var given = zip(quotas, limits).map { min(Int($0), $1) }
    // Equal remainders go by the numbers of the classes.
    let order = quotas.indices.sorted {
      let remainders = (quotas[$0] - Double(Int(quotas[$0])), quotas[$1] - Double(Int(quotas[$1])))
      return remainders.0 == remainders.1 ? $0 < $1 : remainders.0 > remainders.1
    }
    var rest = wanted - given.reduce(0, +)
    // One for each class: what the limits leave over stays in the training part.
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

  /// Apart from the epochs', which count from 0.
  private static let stream: UInt64 = 0x7370_6c74 << 32
}
