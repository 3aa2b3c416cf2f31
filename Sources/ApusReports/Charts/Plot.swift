/// The common parts of charts with two axes: the frame, its tick marks and titles, and the legend above.
struct Plot {
  /// An entry of a legend.
  struct Key {
    var name: String
    /// The index of the series, which selects the color.
    var series: Int
    /// Whether the legend shows a dot instead of a line.
    var isDot = false
  }

  let width: Double
  let height: Double
  let x: Scale
  let y: Scale
  private let legend: Legend
  private let yTicks: [Ticks.Tick]

  /// - Parameters:
  ///   - aspect: the height of the plot divided by its width; limited to a legible range.
  ///   - keys: the entries of the legend; a single entry is not shown.
  ///   - isSquare: whether the axes get the same length, as far as `width` allows, and `aspect` is ignored.
  init(
    width: Double, aspect: Double = 0.5, x: Axis, y: Axis, _ xDomain: ClosedRange<Double>,
    _ yDomain: ClosedRange<Double>, keys: [Key] = [], isSquare: Bool = false
  ) {
    legend = Legend(keys.count > 1 ? keys : [], width: width)
    let top = 22 + legend.height
    let body = isSquare ? min(width - 70, 420) : min(max(width * aspect, 170), 340)
    let yScale = Scale(y, yDomain, from: top + body, to: top)
    yTicks = yScale.ticks(distance: 44)
    let left = 10 + (yTicks.map { TextExtent.width($0.label) }.max() ?? 0)
    self.y = yScale
    self.x = Scale(x, xDomain, from: left, to: isSquare ? min(left + body, width - 18) : width - 18)
    self.width = width
    height = top + body + 44
  }

  /// The markup behind the data: the legend, the grid and the axes.
  var frame: Markup {
    var markup = legend.markup
    markup += .label("muted", 0, legend.height + 11, TextExtent.fitting(y.axis.label, width))
    for tick in yTicks {
      guard let position = y.position(of: tick.value) else { continue }
      let style = tick.value == 0 && position < y.start - 1 ? "axis" : "grid"
      markup += .line(style, Pixel(x: x.start, y: position), Pixel(x: x.end, y: position))
      markup += .label("muted end", x.start - 8, position + 4, tick.label)
    }
    let bottom = y.start
    markup += .line("axis", Pixel(x: x.start, y: bottom), Pixel(x: x.end, y: bottom))
    for tick in x.ticksApart(width: width) {
      guard let position = x.position(of: tick.value) else { continue }
      markup += .line("axis", Pixel(x: position, y: bottom), Pixel(x: position, y: bottom + 4))
      // A label at the edge moves inwards instead of being cut off.
      let half = TextExtent.width(tick.label) / 2
      markup += .label("muted mid", min(max(position, half), width - half), bottom + 18, tick.label)
    }
    return markup + .label("muted end", x.end, bottom + 36, TextExtent.fitting(x.axis.label, x.end))
  }

  /// The drawing of the frame with data in it.
  func drawing(_ data: Markup) -> Drawing { Drawing(width: width, height: height, content: frame + data) }
}

/// The meanings of a chart's colors, in lines above it.
struct Legend {
  let height: Double
  let markup: Markup

  init(_ keys: [Plot.Key], width: Double) {
    var (x, y, markup) = (0.0, 0.0, Markup())
    for key in keys {
      let name = TextExtent.fitting(key.name, min(width - 24, 260))
      let extent = 22 + TextExtent.width(name)
      if x > 0, x + extent > width { (x, y) = (0, y + 18) }
      if key.isDot {
        markup += .dot(Theme.fill(key.series), Pixel(x: x + 8, y: y + 8), radius: 4)
      } else {
        markup += .line(
          "data \(Theme.stroke(key.series))", Pixel(x: x + 1, y: y + 8), Pixel(x: x + 15, y: y + 8),
          dashes: Theme.dashes(key.series))
      }
      markup += .label("", x + 21, y + 12, name, whole: key.name)
      x += extent + 16
    }
    height = keys.isEmpty ? 0 : y + 26
    self.markup = markup
  }
}
