import Glibc

/// What lies along an edge of a chart.
public struct Axis: Hashable, Sendable {
  /// What is measured.
  public var title: String
  /// What it is measured in; `nil` for numbers without one.
  public var unit: String?
  /// Whether equal distances are equal factors. Numbers that are not positive are left out then.
  public var isLogarithmic: Bool
  /// Whether there is nothing between whole numbers: steps, epochs.
  public var isInteger: Bool
  /// What the axis covers at least; of data alone when left out.
  public var range: ClosedRange<Double>?

  /// An axis; linear and as wide as the data unless told otherwise.
  public init(
    _ title: String, unit: String? = nil, isLogarithmic: Bool = false, isInteger: Bool = false,
    range: ClosedRange<Double>? = nil
  ) {
    self.title = title
    self.unit = unit
    self.isLogarithmic = isLogarithmic
    self.isInteger = isInteger
    self.range = range
  }

  /// `loss (nats)`
  var label: String { unit.map { "\(title) (\($0))" } ?? title }

  /// Whether there is a place for a number. What has gone beyond all measure would leave no room for the rest.
  func holds(_ value: Double) -> Bool {
    value.isFinite && value.magnitude < 1e100 && (!isLogarithmic || value > 1e-100)
  }

  /// The range of the numbers that have a place, with some room around them; never empty.
  /// - Parameter padding: the share of the range that is added at each end.
  func domain(of values: some Sequence<Double>, padding: Double) -> ClosedRange<Double> {
    var (low, high) = (Double.infinity, -Double.infinity)
    for value in values where holds(value) { (low, high) = (min(low, value), max(high, value)) }
    if let range, holds(range.lowerBound), holds(range.upperBound) {
      (low, high) = (min(low, range.lowerBound), max(high, range.upperBound))
    }
    if low > high { (low, high) = isLogarithmic ? (0.1, 1) : (0, 1) }
    // Ends that were asked for stay, where no number is beyond: a share is not more than 1.
    let isFixed = (low: low >= range?.lowerBound ?? .infinity, high: high <= range?.upperBound ?? -.infinity)
    if isLogarithmic {
      let room = max(pow(high / low, padding), low == high ? 2 : 1)
      return (isFixed.low && low < high ? low : low / room)...(isFixed.high && low < high ? high : high * room)
    }
    // What differs by rounding alone is one number.
    if high - low <= 1e-12 * max(low.magnitude, high.magnitude) {
      let room = low == 0 ? 1 : max(low.magnitude, high.magnitude) * 0.1
      return (isFixed.low ? low : low - room)...high + room
    }
    let room = (high - low) * padding
    return (isFixed.low ? low : low - room)...(isFixed.high ? high : high + room)
  }
}

/// An axis that has a domain and a place.
struct Scale {
  let axis: Axis
  let domain: ClosedRange<Double>
  /// The pixels of the domain's ends; the first may be the larger one.
  let start: Double
  let end: Double
  private let low: Double
  private let high: Double

  init(_ axis: Axis, _ domain: ClosedRange<Double>, from start: Double, to end: Double) {
    self.axis = axis
    self.domain = domain
    self.start = start
    self.end = end
    low = axis.isLogarithmic ? log10(domain.lowerBound) : domain.lowerBound
    high = axis.isLogarithmic ? log10(domain.upperBound) : domain.upperBound
  }

  /// The pixel of a number; `nil` for one that has no place.
  func place(_ value: Double) -> Double? {
    guard axis.holds(value) else { return nil }
    let number = axis.isLogarithmic ? log10(value) : value
    return start + (end - start) * ((number - low) / (high - low))
  }

  /// Marks of which no two are closer than `distance` pixels.
  func ticks(distance: Double) -> [Ticks.Tick] {
    let count = max(2, Int((end - start).magnitude / distance))
    let found =
      axis.isLogarithmic
      ? Ticks.logarithmic(domain, count: count) : Ticks.linear(domain, count: count, isInteger: axis.isInteger)
    return found.ticks
  }

  /// Marks whose labels, one beside the other, do not touch.
  /// - Parameter width: of the picture, inside of which labels at the edges are moved.
  func ticksApart(width: Double) -> [Ticks.Tick] {
    var distance = max(56, (end - start).magnitude / 9)
    while true {
      let ticks = ticks(distance: distance)
      var (isFree, last) = (true, -Double.infinity)
      for tick in ticks where !tick.label.isEmpty {
        guard let place = place(tick.value) else { continue }
        let half = TextExtent.width(tick.label) / 2
        let middle = min(max(place, half), width - half)
        if middle - half < last + 8 { isFree = false }
        last = middle + half
      }
      distance *= 1.4
      if isFree || distance > (end - start).magnitude { return ticks }
    }
  }
}
