/// Numbers as horizontal bars, one below the other, with a name next to each bar.
public struct BarChart: Chart {
  /// A name, and a number that is drawn as a bar.
  public struct Bar: Hashable, Sendable {
    /// The name next to the bar.
    public var name: String
    /// The length of the bar; a value that is not finite is written without a bar.
    public var value: Double
    /// The text after the bar; `nil` for the value.
    public var label: String?

    public init(name: String, value: Double, label: String? = nil) {
      self.name = name
      self.value = value
      self.label = label
    }
  }

  /// The text above the drawing in an SVG file; in a report, the caption of the figure.
  public var title: String
  /// The axis along the bars. It always includes zero.
  public var axis: Axis
  /// The bars, from the top down.
  public var bars: [Bar]

  /// Creates a chart with the bars in this order, from the top down.
  public init(_ title: String, along axis: Axis, _ bars: [Bar]) {
    self.title = title
    self.axis = axis
    self.bars = bars
  }

  public func drawing(width: Double) -> Drawing {
    let pitch = bars.count > 30 ? 16.0 : 22
    let domain = axis.domain(of: bars.map(\.value) + [0], padding: 0)
    let labels = bars.map { TextExtent.fitting($0.label ?? Ticks.label($0.value, step: $0.value.magnitude / 1e3), 110) }
    let names = min((bars.map { TextExtent.width(TextExtent.fitting($0.name, 220)) }.max() ?? 0) + 10, width * 0.4)
    let room = 8 + (labels.map { TextExtent.width($0) }.max() ?? 0)
    let scale = Scale(axis, domain, from: names, to: max(names + 40, width - room))
    let zero = scale.position(of: 0) ?? scale.start
    var content = Markup()
    for (index, bar) in bars.enumerated() {
      let top = Double(index) * pitch
      let base = top + pitch / 2 + 4
      content += .label("end", names - 10, base, TextExtent.fitting(bar.name, names - 10), whole: bar.name)
      let end = scale.position(of: bar.value) ?? zero
      content += .rectangle(
        "f0", Pixel(x: min(zero, end), y: top + 3), width: (end - zero).magnitude, height: pitch - 6, rounding: 2)
      content += .label("muted", max(zero, end) + 6, base, labels[index])
    }
    let bottom = Double(bars.count) * pitch + 4
    content += .line("axis", Pixel(x: zero, y: 0), Pixel(x: zero, y: bottom))
    content += .label("muted", names, bottom + 16, TextExtent.fitting(axis.label, width - names))
    return Drawing(width: max(width, scale.end + room), height: bottom + 24, content: content)
  }
}
