import Glibc

extension [Double] {
  /// The mean: the sum, rounded after each addition, divided by the count; NaN without elements.
  package var mean: Double { reduce(0, +) / Double(count) }

  /// The median; for an even number of elements the mean of the middle two.
  /// - Precondition: there is at least one element.
  package var median: Double {
    let sorted = sorted()
    let middle = count / 2
    // Halves are added, because a sum of large numbers could overflow.
    return count % 2 == 1 ? sorted[middle] : sorted[middle - 1] / 2 + sorted[middle] / 2
  }

  /// `Σ (x − mean)²`
  package func squaredDeviations(from mean: Double) -> Double { reduce(0) { $0 + ($1 - mean) * ($1 - mean) } }

  /// `Σ (x − mean)² / n`
  package func variance(from mean: Double) -> Double { squaredDeviations(from: mean) / Double(count) }
}

extension Collection<Double> {
  /// The mean of the squares; NaN without elements.
  package var meanSquare: Double { map { $0 * $0 }.mean }
}

extension BinaryFloatingPoint {
  /// The number at the fraction `t` of the way from this number, `a`, to `b`: `a + (b − a) · t`.
  @inlinable
  package func lerp(to b: Self, _ t: Self) -> Self { self + (b - self) * t }
}

extension Collection where Element: Comparable {
  /// The index of the largest element; the first of equal ones. `nil` without elements.
  @inlinable
  package var indexOfLargest: Index? { indices.max { self[$0] < self[$1] } }
}

/// The numerators of softmax, `exp((x − max) / temperature)` of each logit `x`, in float64.
package func softmaxNumerators(_ logits: ArraySlice<Float>, temperature: Double = 1) -> [Double] {
  let largest = Double(logits.max() ?? 0)
  return logits.map { exp((Double($0) - largest) / temperature) }
}
