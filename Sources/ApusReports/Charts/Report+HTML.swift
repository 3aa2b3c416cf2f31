extension Report {
  /// The report as one HTML file, without scripts and without links to other files.
  public func html() -> String {
    let main = header + contents + sections.enumerated().map { section($0.element, $0.offset) }.joined()
    let head = Markup.element("title", .text(title)) + .element("style", .style) + .element("style", .pageStyle)
    return """
      <!DOCTYPE html>
      <html lang="en">
      <head>
      <meta charset="utf-8">
      <meta name="viewport" content="width=device-width, initial-scale=1">
      <meta http-equiv="Content-Security-Policy" content="\(Report.policy)">
      <meta name="referrer" content="no-referrer">
      <meta name="color-scheme" content="light dark">
      \(head.source)
      </head>
      <body>
      \(Markup.element("main", main).source)
      </body>
      </html>

      """
  }

  /// The content security policy. It allows embedded images and the style in the page, but no scripts and no other
  /// files.
  private static let policy = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"

  private var header: Markup {
    var content = Markup.element("h1", .text(title))
    if !subtitle.isEmpty { content += .element("p", ["class": "subtitle"], .text(subtitle)) }
    if !facts.isEmpty {
      let list = facts.map { fact in
        Markup.element("div", .element("dt", .text(fact.name)) + .element("dd", .text(fact.value)))
      }
      content += .element("dl", ["class": "facts"], list.joined())
    }
    return .element("header", content)
  }

  private var contents: Markup {
    guard sections.count > 2 else { return Markup() }
    let links = sections.enumerated().map { index, section in
      Markup.element("a", ["href": .text("#s\(index + 1)")], .text(section.title))
    }
    return .element("nav", ["aria-label": "Contents"], links.joined())
  }

  private func section(_ section: Section, _ index: Int) -> Markup {
    let heading = Markup.element("h2", .text(section.title))
    return .element("section", ["id": .text("s\(index + 1)")], heading + blocks(section.blocks))
  }

  private func blocks(_ blocks: [Block]) -> Markup {
    var markup = Markup()
    var row = Markup()
    func endRow() {
      if row != Markup() { markup += .element("div", ["class": "figures"], row) }
      row = Markup()
    }
    for block in blocks {
      switch block {
      case .figure(let figure): row += self.figure(figure)
      case .text(let text):
        endRow()
        markup += .element("p", .text(text))
      case .details(let summary, let inner):
        endRow()
        markup += .element("details", .element("summary", .text(summary)) + self.blocks(inner))
      }
    }
    endRow()
    return markup
  }

  private func figure(_ figure: Figure) -> Markup {
    let chart = figure.chart
    var content = Markup.element("figcaption", .text(chart.title))
    content += chart.page ?? drawings(figure)
    if let note = figure.note { content += .element("p", ["class": "note"], .text(note)) }
    return .element(
      "figure", ["class": figure.isWide ? "wide" : "half", "data-name": .text(figure.name)], content)
  }

  /// One drawing for each range of page widths; the browser shows the one that fits. Text has the same size in all
  /// drawings.
  ///
  /// The CSS classes `n`, `m` and `w` of `pageStyle` are for narrow, medium and wide pages. The widest page is 1136
  /// pixels wide without its padding. Two figures side by side, with a gap of 24 pixels, are then 556 pixels wide each.
  private func drawings(_ figure: Figure) -> Markup {
    let sizes: [(name: String, width: Double)] =
      figure.isWide ? [("fig n", 358), ("fig m", 560), ("fig w", 1136)] : [("fig n", 358), ("fig m w", 556)]
    let drawings = sizes.map { (name: $0.name, drawing: figure.chart.drawing(width: $0.width)) }
    // A drawing that is the same at all widths is included once.
    if drawings.allSatisfy({ $0.drawing == drawings[0].drawing }) {
      return Report.box(drawings[0].drawing, figure.chart.title, "fig", room: sizes[0].width)
    }
    return zip(drawings, sizes).map {
      Report.box($0.drawing, figure.chart.title, $0.name, room: $1.width)
    }.joined()
  }

  /// The drawing, in a scrolling box if it is wider than `room`: text that is scaled down to fit would be too small.
  private static func box(_ drawing: Drawing, _ label: String, _ name: String, room: Double) -> Markup {
    guard drawing.width > room + 1 else { return drawing.inline(label, name) }
    return .element("div", ["class": "scroll"], drawing.inline(label, name + " natural"))
  }
}
