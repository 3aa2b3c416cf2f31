import ApusSystem

/// Points over two axes: predictions over targets, residuals over predictions.
public struct ScatterChart: Chart {
  /// Points of one color.
  public struct Series: Hashable, Sendable {
    /// The name in the legend.
    public var name: String
    /// The points; non-finite ones are left out.
    public var points: [LineChart.Point]

    /// Creates a series of points with a name.
    public init(_ name: String, _ points: [LineChart.Point]) {
      self.name = name
      self.points = points
    }
  }

  /// The text above the drawing in an SVG file; in a report, the caption of the figure.
  public var title: String
  /// The horizontal axis.
  public var x: Axis
  /// The vertical axis.
  public var y: Axis
  /// The points.
  public var series: [Series]
  /// Whether the line `y = x` of perfect predictions is drawn; both axes then cover the same range.
  public var hasIdentityLine: Bool

  /// Points over two axes.
  public init(_ title: String, x: Axis, y: Axis, _ series: [Series], hasIdentityLine: Bool = false) {
    self.title = title
    self.x = x
    self.y = y
    self.series = series
    self.hasIdentityLine = hasIdentityLine
  }

  public func drawing(width: Double) -> Drawing {
    let points = series.lazy.flatMap(\.points)
    var xDomain = x.domain(of: points.lazy.map(\.x), padding: 0.04)
    var yDomain = y.domain(of: points.lazy.map(\.y), padding: 0.04)
    if hasIdentityLine {
      xDomain = min(xDomain.lowerBound, yDomain.lowerBound)...max(xDomain.upperBound, yDomain.upperBound)
      yDomain = xDomain
    }
    let plot = Plot(
      width: width, aspect: 0.6, x: x, y: y, xDomain, yDomain,
      keys: series.enumerated().map { Plot.Key(name: $0.element.name, series: $0.offset, isDot: true) },
      isSquare: hasIdentityLine)
    var data = hasIdentityLine ? plot.identity : Markup()
    for (index, series) in series.enumerated() { data += plot.dots(series.points, index) }
    return plot.drawing(data)
  }
}

extension Plot {
  /// If there are more points than this number, the points in each square of 2 × 2 pixels are merged.
  private static let separateCount = 3000

  /// The points as dots. If there are more than `separateCount`, the points in each square of 2 × 2 pixels are merged
  /// into one dot, whose opacity rises with the number of merged points. Isolated points remain visible.
  fileprivate func dots(_ points: [LineChart.Point], _ index: Int) -> Markup {
    let pixels = points.compactMap { pixel(of: $0) }
    guard pixels.count > Plot.separateCount else {
      return dots(pixels, index, size: pixels.count > 300 ? 4 : 6, opacity: pixels.count > 300 ? 0.5 : 0.75)
    }
    var counts: [Pixel: Int] = [:]
    for pixel in pixels {
      counts[Pixel(x: (pixel.x / 2).rounded() * 2, y: (pixel.y / 2).rounded() * 2), default: 0] += 1
    }
    let positions = counts.sortedArray { ($0.key.y, $0.key.x) < ($1.key.y, $1.key.x) }
    var markup = Markup()
    for (range, opacity) in [(1...1, 0.35), (2...5, 0.6), (6...Int.max, 1.0)] {
      let inside = positions.filter { range.contains($0.value) }.map(\.key)
      if !inside.isEmpty { markup += dots(inside, index, size: 3, opacity: opacity) }
    }
    return markup
  }

  private func dots(_ pixels: [Pixel], _ index: Int, size: Double, opacity: Double) -> Markup {
    .element(
      "path",
      [
        "class": .text("dots \(Theme.stroke(index))"), "d": .text(pixels.dots), "stroke-width": .number(size),
        "stroke-opacity": .number(opacity),
      ], isVoid: true)
  }
}
