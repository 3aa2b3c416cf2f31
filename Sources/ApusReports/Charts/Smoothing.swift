/// How a noisy curve of a chart is smoothed.
public enum Smoothing: Hashable, Sendable {
  /// An exponential moving average with the weight `w` in `0 ..< 1`: `s_t = w s_{t-1} + (1 − w) y_t` for the numbers
  /// `y_t`, with `s_0 = 0`. The result is `s_t / (1 − wᵗ)`, which corrects the bias of the start (Kingma, Ba: "Adam",
  /// 2015, section 3).
  case exponential(Double)

  /// The smoothed numbers. Non-finite numbers stay as they are, and do not enter the average.
  public func callAsFunction(_ values: [Double]) -> [Double] {
    guard case .exponential(let given) = self else { return values }
    let weight = min(max(given, 0), 0.9999)
    var (average, rest) = (0.0, 1.0)
    return values.map { value in
      guard value.isFinite else { return value }
      average = weight * average + (1 - weight) * value
      rest *= weight
      return average / (1 - rest)
    }
  }
}
