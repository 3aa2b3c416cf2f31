/// Lines over a common axis, such as losses, learning rates and ROC curves.
public struct LineChart: Chart {
  /// A point of a line.
  public struct Point: Hashable, Sendable {
    /// The horizontal coordinate.
    public var x: Double
    /// The vertical coordinate; a value that is not finite leaves a gap in the line.
    public var y: Double

    public init(x: Double, y: Double) {
      self.x = x
      self.y = y
    }
  }

  /// A line.
  public struct Series: Hashable, Sendable {
    /// The name in the legend.
    public var name: String
    /// The points, in the order in which they are connected.
    public var points: [Point]
    /// How the line is smoothed; `nil` for a line that is not smoothed. The original line is drawn faintly behind a
    /// smoothed line.
    public var smoothing: Smoothing?

    /// A line through points.
    public init(_ name: String, _ points: [Point], smoothing: Smoothing? = nil) {
      self.name = name
      self.points = points
      self.smoothing = smoothing
    }
  }

  /// The text above the drawing in an SVG file; in a report, the caption of the figure.
  public var title: String
  /// The horizontal axis.
  public var x: Axis
  /// The vertical axis.
  public var y: Axis
  /// The lines.
  public var series: [Series]
  /// Whether the reference line `y = x` is drawn. It marks, for example, the chance level or perfect predictions.
  public var hasIdentityLine: Bool

  /// Lines over two axes.
  public init(_ title: String, x: Axis, y: Axis, _ series: [Series], hasIdentityLine: Bool = false) {
    self.title = title
    self.x = x
    self.y = y
    self.series = series
    self.hasIdentityLine = hasIdentityLine
  }

  public func drawing(width: Double) -> Drawing {
    let points = series.lazy.flatMap(\.points)
    let plot = Plot(
      width: width, x: x, y: y, x.domain(of: points.lazy.map(\.x), padding: 0),
      y.domain(of: points.lazy.filter { x.holds($0.x) }.map(\.y), padding: 0.06),
      keys: series.enumerated().map { Plot.Key(name: $0.element.name, series: $0.offset) },
      isSquare: x.range != nil && x.range == y.range)
    var data = Markup()
    if hasIdentityLine { data += plot.identity }
    for (index, line) in series.enumerated() { data += plot.line(line, index) }
    data += plot.hoverBands(series)
    return plot.drawing(data)
  }
}

extension Plot {
  /// A line of at most this many points has a marker at each point, unless the line is smoothed.
  private static let markedCount = 24
  /// There are no tooltips if a line has more points than this number, or if the points of all lines have more than
  /// this number of different `x`.
  private static let bandCount = 160

  /// The position of a point in the drawing; `nil` if an axis cannot show it.
  func pixel(of point: LineChart.Point) -> Pixel? {
    guard let x = x.position(of: point.x), let y = y.position(of: point.y) else { return nil }
    return Pixel(x: x, y: y)
  }

  /// The line `y = x` within both domains.
  var identity: Markup {
    let low = max(x.domain.lowerBound, y.domain.lowerBound)
    let high = min(x.domain.upperBound, y.domain.upperBound)
    guard low < high, let start = pixel(of: .init(x: low, y: low)), let end = pixel(of: .init(x: high, y: high)) else {
      return Markup()
    }
    return .line("ref", start, end, dashes: "4 4")
  }

  fileprivate func line(_ series: LineChart.Series, _ index: Int) -> Markup {
    let positions = series.points.map(\.x)
    var markup = Markup()
    guard let smoothing = series.smoothing else {
      return stroke(series.points, index, "data") + marks(series.points, index)
    }
    markup += stroke(series.points, index, "raw")
    let smooth = zip(positions, smoothing(series.points.map(\.y))).map { LineChart.Point(x: $0, y: $1) }
    markup += stroke(smooth, index, "data")
    return markup
  }

  private func stroke(_ points: [LineChart.Point], _ index: Int, _ kind: String) -> Markup {
    let parts = segments(points).filter { $0.count > 1 }
    guard !parts.isEmpty else { return Markup() }
    let path = parts.map { $0.thinned().path }.joined()
    return .path("\(kind) \(Theme.stroke(index))", path, dashes: Theme.dashes(index))
  }

  /// Markers for isolated points, which no line would show, and for all points if there are few.
  private func marks(_ points: [LineChart.Point], _ index: Int) -> Markup {
    let parts = segments(points)
    let isSparse = points.count <= Plot.markedCount
    let marked = parts.filter { isSparse || $0.count == 1 }.flatMap { $0 }.thinned()
    return marked.map { .dot(Theme.fill(index), $0, radius: 2.75) }.joined()
  }

  /// The pixels of the points, split where an axis cannot show a point.
  private func segments(_ points: [LineChart.Point]) -> [[Pixel]] {
    var (parts, part): ([[Pixel]], [Pixel]) = ([], [])
    for point in points {
      if let pixel = pixel(of: point) {
        part.append(pixel)
      } else if !part.isEmpty {
        parts.append(part)
        part = []
      }
    }
    if !part.isEmpty { parts.append(part) }
    return parts
  }

  /// An invisible rectangle around each `x` of the points, with a tooltip that states the values of all lines at this
  /// `x`.
  fileprivate func hoverBands(_ series: [LineChart.Series]) -> Markup {
    guard series.allSatisfy({ $0.points.count <= Plot.bandCount }) else { return Markup() }
    let positions = Set(series.flatMap { $0.points.map(\.x) }).filter { x.axis.holds($0) }.sorted()
    guard (1...Plot.bandCount).contains(positions.count) else { return Markup() }
    let pixels = positions.compactMap { x.position(of: $0) }
    return positions.indices.map { index in
      let left = index == 0 ? x.start : (pixels[index - 1] + pixels[index]) / 2
      let right = index + 1 == pixels.count ? x.end : (pixels[index] + pixels[index + 1]) / 2
      return Markup.rectangle(
        "band", Pixel(x: left, y: y.end), width: right - left, height: y.start - y.end,
        note: numbers(at: positions[index], of: series))
    }.joined()
  }

  /// The values of the lines at the `x` of a point, as text.
  private func numbers(at position: Double, of series: [LineChart.Series]) -> String {
    func text(_ value: Double, _ axis: Axis) -> String {
      Ticks.label(value, step: axis.isInteger ? 1 : value.magnitude / 1e3)
    }
    var lines = ["\(x.axis.title) \(text(position, x.axis))"]
    for line in series {
      guard let point = line.points.first(where: { $0.x == position }) else { continue }
      lines.append("\(line.name): \(text(point.y, y.axis))")
    }
    return lines.joined(separator: "\n")
  }
}
