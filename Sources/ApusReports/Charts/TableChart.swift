/// A table of text with column titles.
public struct TableChart: Chart {
  /// The title and the alignment of a column.
  public struct Column: Hashable, Sendable {
    /// The title above the column.
    public var title: String
    /// Whether the column is right-aligned, like numbers.
    public var isNumeric: Bool

    /// A column of words, or of numbers.
    public init(_ title: String, isNumeric: Bool = false) {
      self.title = title
      self.isNumeric = isNumeric
    }
  }

  /// The text above the drawing in an SVG file; in a report, the caption of the figure.
  public var title: String
  /// The columns, from left to right.
  public var columns: [Column]
  /// The rows, with a cell for each column; missing cells are empty.
  public var rows: [[String]]

  /// Creates a table from its columns and rows.
  public init(_ title: String, _ columns: [Column], _ rows: [[String]]) {
    self.title = title
    self.columns = columns
    self.rows = rows
  }

  /// An HTML table, in a box that scrolls separately from the page.
  public var page: Markup? {
    func cell(_ name: StaticString, _ column: Column, _ text: String) -> Markup {
      column.isNumeric ? .element(name, ["class": "number"], .text(text)) : .element(name, .text(text))
    }
    var table = Markup()
    if columns.contains(where: { !$0.title.isEmpty }) {
      let head = columns.map { cell("th", $0, $0.title) }.joined()
      table += .element("thead", .element("tr", head))
    }
    let body = rows.map { row in
      let cells = columns.enumerated().map { index, column in cell("td", column, index < row.count ? row[index] : "") }
      return Markup.element("tr", cells.joined())
    }
    table += .element("tbody", body.joined())
    return .element("div", ["class": "scroll", "tabindex": "0"], .element("table", table))
  }

  public func drawing(width: Double) -> Drawing {
    let lines = [columns.map(\.title)] + rows
    let widths = columns.indices.map { column in
      lines.map { TextExtent.width(TextExtent.fitting($0.indices.contains(column) ? $0[column] : "", 320)) }.max() ?? 0
    }
    var content = Markup()
    for (number, line) in lines.enumerated() {
      var x = 0.0
      let y = 14 + 20 * Double(number)
      for (index, column) in columns.enumerated() {
        let text = TextExtent.fitting(line.indices.contains(index) ? line[index] : "", 320)
        let style = (number == 0 ? "muted" : "") + (column.isNumeric ? " end" : "")
        content += .label(style, column.isNumeric ? x + widths[index] : x, y, text)
        x += widths[index] + 20
      }
      content += .line("grid", Pixel(x: 0, y: y + 6), Pixel(x: max(0, x - 20), y: y + 6))
    }
    let extent = widths.reduce(0, +) + 20 * Double(max(0, widths.count - 1))
    return Drawing(width: max(extent, 60), height: 14 + 20 * Double(lines.count), content: content)
  }
}
