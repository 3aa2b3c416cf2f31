import ApusData
import ApusSystem

/// Small images with captions: filters, feature maps, misclassified examples.
public struct ImageGrid: Chart {
  /// An image with its caption.
  public struct Cell: Hashable, Sendable {
    /// The bytes of a PNG file.
    public var png: [UInt8]
    /// The text below the image.
    public var caption: String

    public init(png: [UInt8], caption: String) {
      self.png = png
      self.caption = caption
    }
  }

  /// The text above the drawing in an SVG file; in a report, the caption of the figure.
  public var title: String
  /// The images, row by row.
  public var cells: [Cell]
  /// The number of images in a row, if the images of a row belong together; `nil` for rows that fill the width.
  public var columnCount: Int?

  /// Creates a grid of images.
  public init(_ title: String, _ cells: [Cell], columnCount: Int? = nil) {
    self.title = title
    self.cells = cells
    self.columnCount = columnCount
  }

  /// The limits, in pixels, for the longer side of the largest image. If this side is shorter than `least`, all images
  /// are enlarged by a whole factor, without interpolation. If it is longer than `most`, all images are reduced.
  private static let (least, most) = (72.0, 224.0)

  /// The display sizes of the images, which are all scaled by the same factor.
  private var sizes: [(width: Double, height: Double)] {
    let own = cells.map { $0.png.pngSize ?? (width: 1, height: 1) }
    let largest = Double(own.map { max($0.width, $0.height) }.max() ?? 1)
    let factor =
      largest > ImageGrid.most ? ImageGrid.most / largest : max(1, (ImageGrid.least / largest).rounded(.up))
    return own.map { (Double($0.width) * factor, Double($0.height) * factor) }
  }

  /// The image as a data URL.
  private func address(_ cell: Cell) -> Markup.Value { .text("data:image/png;base64,\(cell.png.base64)") }

  /// An HTML list. The browser puts as many items on a line as fit. With a `columnCount`, an item is a row of images;
  /// otherwise it is one image.
  public var page: Markup? {
    let sizes = sizes
    let items = zip(cells, sizes).map { cell, size in
      let image = Markup.element(
        "img",
        [
          "class": "px", "src": address(cell), "alt": .text(cell.caption), "width": .number(size.width),
          "height": .number(size.height),
        ], isVoid: true)
      let caption = Markup.element("span", ["title": .text(cell.caption)], .text(cell.caption))
      return Markup.element("div", ["style": .text("width:\(max(size.width, 56).coordinate)px")], image + caption)
    }
    let count = max(columnCount ?? 1, 1)
    let rows = stride(from: 0, to: items.count, by: count).map { start in
      Markup.element("li", ["class": "row"], Array(items[start..<min(start + count, items.count)]).joined())
    }
    return .element("ul", ["class": columnCount == nil ? "images" : "images rows"], rows.joined())
  }

  public func drawing(width: Double) -> Drawing {
    let sizes = sizes
    let pitch = (
      x: max(sizes.map(\.width).max() ?? 0, 56) + 12, y: (sizes.map(\.height).max() ?? 0) + 42
    )
    let columns = columnCount.map { max($0, 1) } ?? max(1, Int((width + 12) / pitch.x))
    var content = Markup()
    for (index, (cell, size)) in zip(cells, sizes).enumerated() {
      let (x, y) = (Double(index % columns) * pitch.x, Double(index / columns) * pitch.y)
      content += .element(
        "image",
        [
          "class": "px", "href": address(cell), "x": .number(x), "y": .number(y), "width": .number(size.width),
          "height": .number(size.height),
        ], .element("title", .text(cell.caption)))
      for (line, text) in TextExtent.lines(cell.caption, pitch.x - 10, size: TextExtent.small).prefix(2).enumerated() {
        let below = y + size.height + 13 + 13 * Double(line)
        content += .label("small", x, below, text)
      }
    }
    let rows = ceilDivide(cells.count, columns)
    return Drawing(
      width: max(width, Double(min(columns, cells.count)) * pitch.x - 12), height: max(20, Double(rows) * pitch.y),
      content: content)
  }
}
