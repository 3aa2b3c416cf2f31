extension Markup {
  /// A line of text at a position.
  /// - Parameters:
  ///   - style: CSS classes of `Theme`.
  ///   - whole: the full text, which is shown as a tooltip if `text` is a shortened form of it.
  static func label(_ style: String, _ x: Double, _ y: Double, _ text: String, whole: String? = nil) -> Markup {
    let note = whole.map { $0 == text ? Markup() : .element("title", .text($0)) } ?? Markup()
    return element("text", ["class": .text(style), "x": .number(x), "y": .number(y)], note + .text(text))
  }

  /// A straight line between two points.
  static func line(_ style: String, _ from: Pixel, _ to: Pixel, dashes: String? = nil) -> Markup {
    element(
      "line",
      [
        "class": .text(style), "x1": .number(from.x), "y1": .number(from.y), "x2": .number(to.x), "y2": .number(to.y),
        "stroke-dasharray": .text(dashes ?? "none"),
      ], isVoid: true)
  }

  /// A rectangle with its upper left corner at `corner`.
  /// - Parameters:
  ///   - opacity: how opaque the fill is, in `0 ... 1`.
  ///   - note: the tooltip; `nil` for none.
  static func rectangle(
    _ style: String, _ corner: Pixel, width: Double, height: Double, opacity: Double = 1, rounding: Double = 0,
    note: String? = nil
  ) -> Markup {
    element(
      "rect",
      [
        "class": .text(style), "x": .number(corner.x), "y": .number(corner.y), "width": .number(max(0, width)),
        "height": .number(max(0, height)), "fill-opacity": .number(opacity), "rx": .number(rounding),
      ], note.map { .element("title", .text($0)) } ?? Markup())
  }

  /// A circle around `middle`.
  static func dot(_ style: String, _ middle: Pixel, radius: Double) -> Markup {
    element(
      "circle",
      ["class": .text(style), "cx": .number(middle.x), "cy": .number(middle.y), "r": .number(radius)], isVoid: true)
  }

  /// A line along the commands of an SVG path.
  static func path(_ style: String, _ commands: String, dashes: String? = nil) -> Markup {
    element(
      "path",
      ["class": .text(style), "d": .text(commands), "stroke-dasharray": .text(dashes ?? "none")], isVoid: true)
  }

  /// A filled triangle, used as an arrowhead.
  static func triangle(_ style: String, _ corners: Pixel...) -> Markup {
    let points = corners.map { "\($0.x.coordinate),\($0.y.coordinate)" }.joined(separator: " ")
    return element("polygon", ["class": .text(style), "points": .text(points)], isVoid: true)
  }
}
