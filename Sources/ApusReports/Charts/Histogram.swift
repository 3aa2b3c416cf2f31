import ApusSystem

/// The counts of numbers in bins.
public struct Histogram: Chart {
  /// The text above the drawing in an SVG file; in a report, the caption of the figure.
  public var title: String
  /// The axis of the numbers.
  public var x: Axis
  /// The axis of the counts.
  public var y: Axis
  /// The edges of the bins, ascending: one more than there are bins.
  public private(set) var edges: [Double]
  /// The number of values in each bin.
  public private(set) var counts: [Double]

  /// Creates a histogram of known counts.
  /// - Precondition: the edges are ascending, there is at least one count, and there is one more edge than counts.
  public init(
    _ title: String, x: Axis, y: Axis = Axis("count", range: 0...0), edges: [Double], counts: [Double]
  ) {
    guard edges.count == counts.count + 1, !counts.isEmpty, zip(edges, edges.dropFirst()).allSatisfy({ $0 < $1 })
    else { fatalError("Histogram: \(edges.count) rising edges for \(counts.count) bins") }
    self.title = title
    self.x = x
    self.y = y
    self.edges = edges
    self.counts = counts
  }

  /// Creates bins of equal width over numbers. Non-finite numbers and magnitudes of 1e100 or more are left out.
  public init(_ title: String, x: Axis, y: Axis = Axis("count", range: 0...0), of values: [Double], bins: Int = 40) {
    let finite = values.lazy.filter { $0.isFinite && $0.magnitude < 1e100 }
    self.init(title, x: x, y: y, range: (finite.min() ?? 0)...(finite.max() ?? 1), of: values, bins: bins)
  }

  /// Creates bins of equal width over a range; numbers outside of it are left out. A range of a single number is
  /// widened.
  package init<Number: BinaryFloatingPoint>(
    _ title: String, x: Axis, y: Axis = Axis("count", range: 0...0), range: ClosedRange<Double>, of values: [Number],
    bins: Int
  ) {
    var (low, high) = (range.lowerBound, range.upperBound)
    let size = max(low.magnitude, high.magnitude)
    if high - low <= max(1e-12 * size, 1e-290) {
      let room = size < 1e-280 ? 0.5 : size * 0.1
      (low, high) = (low - room, high + room)
    }
    let count = max(bins, 1)
    let factor = Double(count) / (high - low)
    var counts = [Double](repeating: 0, count: count)
    for value in values {
      let position = (Double(value) - low) * factor
      // The condition is false for NaN.
      if position >= 0, position <= Double(count) { counts[min(count - 1, Int(position))] += 1 }
    }
    self.init(title, x: x, y: y, edges: Histogram.edges(of: low...high, count), counts: counts)
  }

  /// The edges of `count` bins of equal width over a range.
  package static func edges(of range: ClosedRange<Double>, _ count: Int) -> [Double] {
    let (low, high) = (range.lowerBound, range.upperBound)
    return (0...count).map { low + (high - low) * Double($0) / Double(count) }
  }

  public func drawing(width: Double) -> Drawing {
    let bins = merged(to: Int(width / 4))
    let plot = Plot(
      width: width, aspect: 0.42, x: x, y: y, x.domain(of: edges, padding: 0), y.domain(of: bins.counts, padding: 0.05))
    var data = Markup()
    for (index, count) in bins.counts.enumerated() where count > 0 {
      guard let left = plot.x.position(of: bins.edges[index]), let right = plot.x.position(of: bins.edges[index + 1]),
        let top = plot.y.position(of: count)
      else { continue }
      let label = { Ticks.label($0, step: (bins.edges[1] - bins.edges[0]) / 10) }
      let note = "\(label(bins.edges[index])) to \(label(bins.edges[index + 1])): \(Ticks.label(count, step: 1))"
      let space = right - left > 4 ? 1.0 : 0
      data += .rectangle(
        "f0", Pixel(x: left, y: top), width: max(0.5, right - left - space), height: plot.y.start - top, note: note)
    }
    return plot.drawing(data)
  }

  /// Merges neighboring bins if there are more than `limit`.
  private func merged(to limit: Int) -> (edges: [Double], counts: [Double]) {
    let group = ceilDivide(counts.count, max(limit, 1))
    guard group > 1 else { return (edges, counts) }
    let starts = stride(from: 0, to: counts.count, by: group)
    return (
      starts.map { edges[$0] } + [edges[counts.count]],
      starts.map { counts[$0..<min($0 + group, counts.count)].reduce(0, +) }
    )
  }
}
