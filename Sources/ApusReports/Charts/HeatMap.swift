/// A table of numbers that are shown as shades, such as a confusion matrix.
public struct HeatMap: Chart {
  /// A shade, with text on it.
  public struct Cell: Hashable, Sendable {
    /// The strength of the shade, in `0 ... 1`; `nil` for no shade.
    public var shade: Double?
    /// The lines of text in the cell, from the top down. Only the first two are shown, as far as they fit.
    public var lines: [String]
    /// The tooltip of the cell.
    public var note: String?
    /// Whether the shade has the second color, so that the cell stands out.
    public var isSecond: Bool

    /// Creates a cell, by default an empty one.
    public init(shade: Double? = nil, lines: [String] = [], note: String? = nil, isSecond: Bool = false) {
      self.shade = shade
      self.lines = lines
      self.note = note
      self.isSecond = isSecond
    }
  }

  /// An entry of the legend: a shade and its meaning.
  public struct Key: Hashable, Sendable {
    /// The strength of the shade, in `0 ... 1`.
    public var shade: Double
    /// The meaning of the shade.
    public var label: String

    public init(shade: Double, label: String) {
      self.shade = shade
      self.label = label
    }
  }

  /// The text above the drawing in an SVG file; in a report, the caption of the figure.
  public var title: String
  /// The title of the vertical axis, and the names of the rows from the top down.
  public private(set) var rows: (title: String, names: [String])
  /// The title of the horizontal axis, and the names of the columns from left to right.
  public private(set) var columns: (title: String, names: [String])
  /// `[rows, columns]`, row-major.
  public private(set) var cells: [Cell]
  /// The title of the legend, and the meanings of shades.
  public var legend: (title: String, keys: [Key])

  /// A table of cells.
  /// - Precondition: there is a cell for each pair of a row and a column.
  public init(
    _ title: String, rows: (title: String, names: [String]), columns: (title: String, names: [String]),
    cells: [Cell], legend: (title: String, keys: [Key]) = ("", [])
  ) {
    guard cells.count == rows.names.count * columns.names.count else {
      fatalError("HeatMap: \(cells.count) cells for \(rows.names.count) rows of \(columns.names.count)")
    }
    self.title = title
    self.rows = rows
    self.columns = columns
    self.cells = cells
    self.legend = legend
  }

  public func drawing(width: Double) -> Drawing { HeatMapLayout(self, width: width).drawing() }
}

/// The positions and sizes of the parts of a heat map, in pixels.
private struct HeatMapLayout {
  let map: HeatMap
  let width: Double
  /// The edge length of a cell.
  let cell: Double
  /// The upper left corner of the cells.
  let left: Double
  let top: Double
  /// The font size of the names.
  let size: Double
  /// Whether the names of the columns are rotated.
  let isTurned: Bool
  /// Whether the first lines of all cells fit. Otherwise no cell shows its text: if only some did, the others would
  /// seem to be 0.
  let hasText: Bool
  let rowNames: [String]
  let columnNames: [String]

  /// The smallest edge length of a cell: a hundred such cells, and the names of the rows in nine-pixel letters, fill
  /// the width of a page.
  private static let least = 10.2
  private static let most = 46.0

  init(_ map: HeatMap, width: Double) {
    self.map = map
    self.width = width
    let count = Double(max(map.columns.names.count, 1))
    let limit = max(60, min(count > 60 ? 98 : 150, width * 0.28))
    let (size, cell) = HeatMapLayout.fit(map, width, limit)
    (self.size, self.cell) = (size, cell)
    let widest = map.cells.compactMap(\.lines.first).map { TextExtent.width($0, size: 9) }.max() ?? 0
    hasText = widest <= cell - 3 && cell > 12
    rowNames = map.rows.names.map { TextExtent.fitting($0, limit, size: size) }
    columnNames = map.columns.names.map { TextExtent.fitting($0, limit, size: size) }
    let longest = columnNames.map { TextExtent.width($0, size: size) }.max() ?? 0
    isTurned = longest > cell - 4
    left = HeatMapLayout.left(map, size, limit)
    top = 20 + (isTurned ? longest + 8 : size + 8)
  }

  /// The largest font size of the names that leaves room for legible cells, and the edge length of a cell.
  private static func fit(_ map: HeatMap, _ width: Double, _ limit: Double) -> (size: Double, cell: Double) {
    let count = Double(max(map.columns.names.count, 1))
    for (size, enough) in [(TextExtent.size, 16.0), (TextExtent.small, 12.5), (9, least)] {
      let cell = (width - 2 - left(map, size, limit)) / count
      if cell >= enough { return (size, min(cell, most)) }
    }
    return (9, least)
  }

  /// The distance of the first column from the left edge: the room for the names and for the title of the rows.
  private static func left(_ map: HeatMap, _ size: Double, _ limit: Double) -> Double {
    let names = map.rows.names.map { TextExtent.width(TextExtent.fitting($0, limit, size: size), size: size) }
    return max((names.max() ?? 0) + 8, min(TextExtent.width(map.rows.title) + 8, limit))
  }

  func drawing() -> Drawing {
    let extent = (
      x: left + cell * Double(map.columns.names.count), y: top + cell * Double(map.rows.names.count)
    )
    var content = names
    content += .rectangle("outline", Pixel(x: left, y: top), width: extent.x - left, height: extent.y - top)
    for (index, cell) in map.cells.enumerated() where cell.shade != nil || !cell.lines.isEmpty {
      content += markup(of: cell, index)
    }
    let (keys, end) = legend(below: extent.y + 14)
    return Drawing(
      width: max(extent.x + 2, min(width, end.x)), height: end.y, content: content + keys)
  }

  private var names: Markup {
    var markup = Markup.label("muted", left, 11, TextExtent.fitting(map.columns.title, max(width - left, 60)))
    markup += .label("muted end", left - 8, top - 8, TextExtent.fitting(map.rows.title, left - 8))
    let style = size == TextExtent.size ? "" : size == TextExtent.small ? "small" : "tiny"
    for (index, name) in rowNames.enumerated() {
      let y = top + cell * (Double(index) + 0.5) + size * 0.36
      markup += .label("\(style) end", left - 8, y, name, whole: map.rows.names[index])
    }
    for (index, name) in columnNames.enumerated() {
      let x = left + cell * (Double(index) + 0.5)
      let whole = map.columns.names[index]
      if isTurned {
        let transform = "translate(\((x + size * 0.36).coordinate) \((top - 6).coordinate)) rotate(-90)"
        markup += .element("g", ["transform": .text(transform)], .label(style, 0, 0, name, whole: whole))
      } else {
        markup += .label("\(style) mid", x, top - 8, name, whole: whole)
      }
    }
    return markup
  }

  private func markup(of entry: HeatMap.Cell, _ index: Int) -> Markup {
    let (row, column) = index.quotientAndRemainder(dividingBy: map.columns.names.count)
    let (x, y) = (left + Double(column) * cell, top + Double(row) * cell)
    let space = cell > 20 ? 1.0 : 0.5
    let shade = min(max(entry.shade ?? 0, 0), 1)
    var markup = Markup.rectangle(
      entry.isSecond ? "f1" : "heat", Pixel(x: x + space / 2, y: y + space / 2), width: cell - space,
      height: cell - space, opacity: (shade * 100).rounded() / 100, note: entry.note)
    let ink = shade > 0.66 ? "free mid onheat" : "free mid"
    let sizes = [("", TextExtent.size), (" small", TextExtent.small), (" tiny", 9)]
    guard hasText, let first = entry.lines.first,
      let (style, size) = sizes.first(where: { TextExtent.width(first, size: $0.1) <= cell - 3 && $0.1 <= cell - 3 })
    else { return markup }
    let second = entry.lines.count > 1 && cell >= 36 ? entry.lines[1] : ""
    let hasSecond = !second.isEmpty && TextExtent.width(second, size: 9) <= cell - 4
    let middle = y + cell / 2 + size * 0.36 - (hasSecond ? 5 : 0)
    markup += .label(ink + style, x + cell / 2, middle, first)
    if hasSecond { markup += .label(ink + " tiny", x + cell / 2, middle + 13, second) }
    return markup
  }

  /// The legend of the shades, in lines below the cells.
  private func legend(below top: Double) -> (markup: Markup, end: (x: Double, y: Double)) {
    guard !map.legend.keys.isEmpty else { return (Markup(), (0, top)) }
    let title = TextExtent.fitting(map.legend.title, width)
    var markup = Markup.label("muted", 0, top + 11, title)
    let styles = map.cells.contains(where: \.isSecond) ? ["heat", "f1"] : ["heat"]
    var (x, y) = (TextExtent.width(title) + 14, top)
    var right = x
    for key in map.legend.keys {
      let extent = 22 + TextExtent.width(key.label)
      if x + extent > width { (x, y) = (0, y + 18) }
      for (step, style) in styles.enumerated() {
        let corner = Pixel(x: x + 8 * Double(step), y: y + 2)
        markup += .rectangle(style, corner, width: 8, height: 10, opacity: key.shade)
      }
      markup += .label("muted", x + 21, y + 11, key.label)
      x += extent + 14
      right = max(right, x)
    }
    return (markup, (right, y + 18))
  }
}
