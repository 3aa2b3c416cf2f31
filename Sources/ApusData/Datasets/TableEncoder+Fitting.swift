import ApusSystem

extension TableEncoder.Rule {
  /// Fits the encoding rule of a column to the training rows.
  init(
    fitting column: Table.Column, _ rows: [Int32], _ encoding: TableEncoding, _ path: String
  ) throws(DataError) {
    switch column.values {
    case .numbers(let numbers):
      guard let rule = Self.rule(numbers, rows, encoding) else { throw .tooLarge(column.name, path, .file) }
      self = rule
    case .categories(let codes, let names):
      let present = Set(rows.map { codes[Int($0)] }).filter { $0 >= 0 }.map { names[Int($0)] }
      let sorted = present.sortedArray { $0.utf8.lexicographicallyPrecedes($1.utf8) }
      self = encoding.categories == .oneHot ? .oneHot(sorted) : .codes(sorted)
    }
  }

  /// The rule for numbers; `nil` when they are too large.
  private static func rule(_ numbers: [Double], _ rows: [Int32], _ encoding: TableEncoding) -> Self? {
    let present = rows.map { numbers[Int($0)] }.filter { !$0.isNaN }
    guard !present.isEmpty else { return .dropped }
    let missing = rows.count - present.count
    let fill = encoding.imputation == .mean ? mean(of: present) : present.median
    let filled = present + [Double](repeating: fill, count: missing)
    let (lowest, highest) = (filled.min() ?? 0, filled.max() ?? 0)
    var (offset, scale) = (0.0, 1.0)
    switch encoding.scaling {
    case .standard: (offset, scale) = standardization(filled)
    case .minMax: (offset, scale) = (lowest, highest > lowest ? highest - lowest : 1)
    case .none: break
    }
    guard fill.isFinite, offset.isFinite, scale.isFinite else { return nil }
    return .number(fill: fill, offset: offset, scale: scale, indicatesMissing: encoding.indicatesMissing && missing > 0)
  }

  private static func mean(of numbers: [Double]) -> Double {
    // The mean of equal numbers is exactly the first one; their sum could be rounded.
    guard let first = numbers.first, numbers.contains(where: { $0 != first }) else { return numbers.first ?? 0 }
    return numbers.mean
  }

  /// Mean and standard deviation. The deviation is 1 if the variance is within scikit-learn's bound for rounding errors
  /// (Chan, Golub, LeVeque: "Algorithms for computing the sample variance", 1983).
  static func standardization(_ numbers: [Double]) -> (Double, Double) {
    let count = Double(numbers.count)
    let mean = mean(of: numbers)
    let variance = numbers.variance(from: mean)
    let rounding = count * mean * Double.ulpOfOne
    let isConstant = variance.isFinite && variance <= count * Double.ulpOfOne * variance + rounding * rounding
    return (mean, isConstant ? 1 : variance.squareRoot())
  }
}

extension DataError {
  package static func tooLarge(_ column: String, _ path: String, _ location: Location) -> DataError {
    .csv(
      path, location, "numbers of the column \(column.quoted()) are too large to be scaled",
      "divide the column by a constant")
  }
}
