import Glibc

/// An axis of a chart.
public struct Axis: Hashable, Sendable {
  /// The quantity that is shown.
  public var title: String
  /// The unit of the quantity; `nil` if it has none.
  public var unit: String?
  /// Whether the scale is logarithmic. Numbers that are not positive are then left out.
  public var isLogarithmic: Bool
  /// Whether all values are whole numbers, such as steps and epochs.
  public var isInteger: Bool
  /// A range that the axis always covers; `nil` if the axis covers only the data.
  public var range: ClosedRange<Double>?

  /// Creates an axis, by default linear and as wide as the data.
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

  /// The title and the unit, such as `loss (nats)`.
  var label: String { unit.map { "\(title) (\($0))" } ?? title }

  /// Whether the axis can show a number. Magnitudes of 1e100 and more are left out, because all other numbers would
  /// fall on one point. A logarithmic axis also leaves out numbers of at most 1e-100.
  func holds(_ value: Double) -> Bool {
    value.isFinite && value.magnitude < 1e100 && (!isLogarithmic || value > 1e-100)
  }

  /// The range of the `values` that the axis can show, extended to include the `range` of the axis, with padding; never
  /// empty.
  /// - Parameter padding: the fraction of the range that is added at each end.
  func domain(of values: some Sequence<Double>, padding: Double) -> ClosedRange<Double> {
    var (low, high) = (Double.infinity, -Double.infinity)
    for value in values where holds(value) { (low, high) = (min(low, value), max(high, value)) }
    if let range, holds(range.lowerBound), holds(range.upperBound) {
      (low, high) = (min(low, range.lowerBound), max(high, range.upperBound))
    }
    if low > high { (low, high) = isLogarithmic ? (0.1, 1) : (0, 1) }
    // An end of `range` gets no padding if no number lies beyond it. So an axis of fractions ends at 1.
    let isFixed = (low: low >= range?.lowerBound ?? .infinity, high: high <= range?.upperBound ?? -.infinity)
    if isLogarithmic {
      let room = max(pow(high / low, padding), low == high ? 2 : 1)
      return (isFixed.low && low < high ? low : low / room)...(isFixed.high && low < high ? high : high * room)
    }
    // Numbers that differ only by rounding count as one.
    if high - low <= 1e-12 * max(low.magnitude, high.magnitude) {
      let room = low == 0 ? 1 : max(low.magnitude, high.magnitude) * 0.1
      return (isFixed.low ? low : low - room)...high + room
    }
    let room = (high - low) * padding
    return (isFixed.low ? low : low - room)...(isFixed.high ? high : high + room)
  }
}

/// An axis with a domain and a position in pixels.
struct Scale {
  let axis: Axis
  let domain: ClosedRange<Double>
  /// The pixel coordinates of the domain's ends. On a vertical axis, `start` is larger than `end`.
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

  /// The pixel coordinate of a number; `nil` if the axis cannot show it.
  func position(of value: Double) -> Double? {
    guard axis.holds(value) else { return nil }
    let number = axis.isLogarithmic ? log10(value) : value
    return start + (end - start) * ((number - low) / (high - low))
  }

  /// Tick marks about `distance` pixels apart.
  func ticks(distance: Double) -> [Ticks.Tick] {
    let count = max(2, Int((end - start).magnitude / distance))
    let found =
      axis.isLogarithmic
      ? Ticks.logarithmic(domain, count: count) : Ticks.linear(domain, count: count, isInteger: axis.isInteger)
    return found.ticks
  }

  /// Tick marks whose labels do not touch when they stand side by side below the axis.
  /// - Parameter width: the width of the chart; labels that would extend beyond it are moved inwards.
  func ticksApart(width: Double) -> [Ticks.Tick] {
    var distance = max(56, (end - start).magnitude / 9)
    while true {
      let ticks = ticks(distance: distance)
      var (isFree, last) = (true, -Double.infinity)
      for tick in ticks where !tick.label.isEmpty {
        guard let position = position(of: tick.value) else { continue }
        let half = TextExtent.width(tick.label) / 2
        let middle = min(max(position, half), width - half)
        if middle - half < last + 8 { isFree = false }
        last = middle + half
      }
      distance *= 1.4
      if isFree || distance > (end - start).magnitude { return ticks }
    }
  }
}
