import ApusSystem

/// How well predicted probabilities match observed frequencies.
///
/// The range from 0 to 1 is divided into `b` bins of equal width. Bin `i` is `(i/b, (i+1)/b]`, and bin 0 includes 0.
public struct CalibrationCurve: Hashable, Sendable {
  /// The examples whose probabilities are in one bin.
  public struct Bin: Hashable, Sendable {
    /// The bin's index, from 0.
    public var number: Int
    public var count: Int
    /// The mean of the examples' probabilities.
    public var meanProbability: Double
    /// The fraction of the examples for which the predicted event is true.
    public var observedShare: Double
  }

  /// The bins that have examples.
  public let bins: [Bin]
  /// The number of bins, including empty ones.
  public let binCount: Int

  /// - Precondition: there is a truth value for each probability, all probabilities are in `0 ... 1`, and `binCount` is
  ///   positive.
  init(_ probabilities: [Float], isTrue: [Bool], binCount: Int) {
    guard binCount > 0 else { fatalError("CalibrationCurve: \(binCount) bins") }
    self.binCount = binCount
    var sums = [Double](repeating: 0, count: binCount)
    var (counts, hits) = ([Int](repeating: 0, count: binCount), [Int](repeating: 0, count: binCount))
    let step = 1 / Double(binCount)
    for (probability, isTrue) in zip(probabilities, isTrue) {
      let value = Double(probability)
      // The product is rounded, so it may give a neighboring bin; the loops then move to the correct one. The edges of
      // the bins are i · step, as in numpy.linspace.
      var position = min(binCount - 1, Int(value * Double(binCount)))
      while position > 0, value <= Double(position) * step { position -= 1 }
      while position + 1 < binCount, value > Double(position + 1) * step { position += 1 }
      sums[position] += value
      counts[position] += 1
      if isTrue { hits[position] += 1 }
    }
    bins = (0..<binCount).filter { counts[$0] > 0 }.map { number in
      let count = Double(counts[number])
      return Bin(
        number: number, count: counts[number], meanProbability: sums[number] / count,
        observedShare: Double(hits[number]) / count)
    }
  }

  /// The expected calibration error: `Σ countᵢ / n · |observed shareᵢ − mean probabilityᵢ|` over the bins `i`, with `n`
  /// examples.
  ///
  /// (Naeini et al., "Obtaining well calibrated probabilities using Bayesian binning", 2015; Guo et al., "On
  /// calibration of modern neural networks", 2017.)
  public var expectedError: Double {
    let sum = bins.reduce(0.0) { $0 + Double($1.count) * abs($1.observedShare - $1.meanProbability) }
    return sum / Double(bins.reduce(0) { $0 + $1.count })
  }

  /// The largest calibration error of a bin.
  public var maximumError: Double { bins.map { abs($0.observedShare - $0.meanProbability) }.max() ?? 0 }
}

extension ClassificationResults {
  /// The calibration of the predictions: how often the most likely class is the true one, as a function of the
  /// probability of the most likely class.
  /// - Precondition: `bins` is positive.
  public func calibration(bins: Int = 15) -> CalibrationCurve {
    var (confidences, hits): ([Float], [Bool]) = ([], [])
    for (example, label) in labels.enumerated() {
      let row = probabilities[example * classCount..<(example + 1) * classCount]
      let best = row.indexOfLargest ?? row.startIndex
      confidences.append(row[best])
      hits.append(best - row.startIndex == Int(label))
    }
    return CalibrationCurve(confidences, isTrue: hits, binCount: bins)
  }

  /// The calibration of one class: how often examples are of this class, as a function of the probability that the
  /// model gives to the class.
  /// - Precondition: `bins` is positive.
  public func calibration(ofClass number: Int, bins: Int = 15) -> CalibrationCurve {
    CalibrationCurve(
      probabilities(ofClass: number), isTrue: labels.map { Int($0) == number }, binCount: bins)
  }
}
