import ApusData
import ApusSystem

/// Training and validation errors by the number of training examples.
///
/// Every size is run once for each seed. The subsets differ between seeds. For one seed, the larger subsets contain the
/// smaller ones. (Cortes et al., "Learning curves: asymptotic values and rate of convergence", 1993.)
public struct LearningCurve: Hashable, Sendable {
  /// One training run.
  public struct Run: Hashable, Sendable {
    /// The seed that selects the examples of the run.
    public var seed: UInt64
    /// The error over the training examples.
    public var train: Double
    /// The error over the validation examples.
    public var validation: Double

    public init(seed: UInt64, train: Double, validation: Double) {
      self.seed = seed
      self.train = train
      self.validation = validation
    }
  }

  /// The mean of the errors `x` of `n` runs, and their standard deviation, `√(Σ (x − mean)² / (n − 1))`.
  public struct Spread: Hashable, Sendable {
    /// The mean over the runs.
    public var mean: Double
    /// The standard deviation over the runs; `nil` for a single run.
    public var deviation: Double?

    init(_ values: [Double]) {
      let mean = values.mean
      self.mean = mean
      deviation = values.count > 1 ? sampleVariance(values, mean: mean).squareRoot() : nil
    }
  }

  /// All runs with one number of training examples.
  public struct Point: Hashable, Sendable {
    /// The number of training examples.
    public let size: Int
    /// The runs, one for each seed.
    public let runs: [Run]

    /// - Precondition: there is at least one run.
    public init(size: Int, runs: [Run]) {
      guard !runs.isEmpty else { fatalError("LearningCurve.Point: no runs of \(size) examples") }
      self.size = size
      self.runs = runs
    }

    /// The errors over the training examples.
    public var train: Spread { Spread(runs.map(\.train)) }
    /// The errors over the validation examples.
    public var validation: Spread { Spread(runs.map(\.validation)) }
  }

  /// The points by ascending size.
  public let points: [Point]

  public init(_ points: [Point]) { self.points = points.sortedArray { $0.size < $1.size } }

  /// Trains on subsets of the data.
  /// - Parameters:
  ///   - sizes: numbers of examples; duplicates run once, and sizes above the number of examples are reduced to it.
  ///   - seeds: the seeds of the subsets and of all other random numbers; every size has one run for each seed.
  ///   - labels: the class of each example, so that subsets preserve the class frequencies.
  ///   - run: trains on the examples with these indices and returns the training and the validation error.
  /// - Throws: what `run` throws.
  /// - Precondition: there are examples and seeds, and sizes are positive.
  public static func measuring<Failure: Error>(
    sizes: [Int], seeds: [UInt64], labels: [Int32],
    _ run: (_ subset: [Int32], _ seed: UInt64) throws(Failure) -> (train: Double, validation: Double)
  ) throws(Failure) -> LearningCurve {
    try measuring(sizes, seeds, labels.count, { NestedSubsets(labels: labels, seed: $0) }, run)
  }

  /// Trains on subsets of `count` examples without classes.
  public static func measuring<Failure: Error>(
    sizes: [Int], seeds: [UInt64], count: Int,
    _ run: (_ subset: [Int32], _ seed: UInt64) throws(Failure) -> (train: Double, validation: Double)
  ) throws(Failure) -> LearningCurve {
    try measuring(sizes, seeds, count, { NestedSubsets(count: count, seed: $0) }, run)
  }

  private static func measuring<Failure: Error>(
    _ sizes: [Int], _ seeds: [UInt64], _ count: Int, _ subsets: (UInt64) -> NestedSubsets,
    _ run: (_ subset: [Int32], _ seed: UInt64) throws(Failure) -> (train: Double, validation: Double)
  ) throws(Failure) -> LearningCurve {
    guard count > 0, !seeds.isEmpty, sizes.allSatisfy({ $0 > 0 }) else {
      fatalError("LearningCurve: sizes \(sizes) of \(count) examples with \(seeds.count) seeds; all must be positive")
    }
    let nested = seeds.map(subsets)
    var points: [Point] = []
    for size in Set(sizes.map { min($0, count) }).sorted() {
      var runs: [Run] = []
      for (seed, subsets) in zip(seeds, nested) {
        let errors = try run(subsets.subset(size), seed)
        runs.append(Run(seed: seed, train: errors.train, validation: errors.validation))
      }
      points.append(Point(size: size, runs: runs))
    }
    return LearningCurve(points)
  }

  /// For each of `fractions`, this fraction of `count`, rounded to a whole number of examples, at least 1.
  public static func sizes(fractions: [Double], of count: Int) -> [Int] {
    fractions.map { max(1, min(count, Int((min(max($0, 0), 1) * Double(count)).rounded()))) }
  }

  /// The power law fitted to the mean validation errors.
  public var fit: PowerLaw.Fit { PowerLaw.fit(points.map { (Double($0.size), $0.validation.mean) }) }
}
