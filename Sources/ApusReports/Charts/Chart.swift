/// A chart that is drawn from plain data.
public protocol Chart: Sendable {
  /// The text above the drawing in an SVG file; in a report, the caption of the figure.
  var title: String { get }

  /// The drawing of the chart, without its title. If the labels do not fit into `width` pixels, the drawing is wider.
  func drawing(width: Double) -> Drawing

  /// The markup of the chart in an HTML page; `nil` if the page shows the chart as SVG drawings of several widths.
  var page: Markup? { get }
}

/// A drawing and its size in pixels.
public struct Drawing: Hashable, Sendable {
  /// The width in pixels.
  public var width: Double
  /// The height in pixels.
  public var height: Double
  /// SVG elements, from `(0, 0)` at the upper left to `(width, height)`.
  public var content: Markup

  /// Creates a drawing of a size.
  public init(width: Double, height: Double, content: Markup) {
    self.width = width
    self.height = height
    self.content = content
  }

  /// The drawing as an SVG element for a page that contains the CSS rules of `Theme`.
  func inline(_ label: String, _ name: String = "fig") -> Markup {
    .element(
      "svg",
      [
        "class": .text(name), "role": "img", "aria-label": .text(label), "viewBox": .text(box),
        "width": .number(width), "height": .number(height),
      ], content)
  }

  fileprivate var box: String { "0 0 \(width.coordinate) \(height.coordinate)" }
}

extension Chart {
  public var page: Markup? { nil }

  /// A self-contained SVG file with a title, colors for light and dark backgrounds, and no external resources.
  /// - Parameter width: the width in pixels; a chart whose labels need more is wider.
  public func svg(width: Double = 720) -> String {
    let inside = drawing(width: width - 2 * margin)
    let lines = TextExtent.lines(title, inside.width, size: 16)
    let top = margin + Double(lines.count) * 20 + 10
    var content = Markup.element("title", Markup.text(title))
    content += .element("style", .style)
    content += .element("rect", ["class": "bg", "width": "100%", "height": "100%"], isVoid: true)
    for (index, line) in lines.enumerated() {
      let y = margin + 15 + 20 * Double(index)
      content += .element("text", ["class": "title", "x": .number(margin), "y": .number(y)], .text(line))
    }
    content += .element("g", ["transform": .text("translate(\(margin.coordinate) \(top.coordinate))")], inside.content)
    let whole = Drawing(
      width: inside.width + 2 * margin, height: inside.height + top + margin, content: content)
    let element = Markup.element(
      "svg",
      [
        "xmlns": "http://www.w3.org/2000/svg", "class": "fig", "role": "img", "viewBox": .text(whole.box),
        "width": .number(whole.width), "height": .number(whole.height),
      ], whole.content)
    return element.source + "\n"
  }
}

private let margin = 16.0

extension Markup {
  /// The CSS rules of `Theme`, without escaping: they contain no text from files.
  static let style: Markup = .verbatim(Theme.style)
}
