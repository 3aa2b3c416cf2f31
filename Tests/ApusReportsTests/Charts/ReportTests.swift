import Apus
import ApusTestSupport
import Foundation
import Testing

@testable import ApusReports

struct ReportTests {
  /// Every chart is well-formed XML at the width of a phone and of a page, and hostile names appear as text.
  @Test func drawingsAreWellFormed() throws {
    for figure in Gallery.report.figures {
      for width in [300.0, 720, 1200] {
        let text = figure.chart.svg(width: width)
        let found = try Elements(parsing: text)
        #expect(found.names.first == "svg" && !found.names.contains("script"), "\(figure.name)")
        #expect(found.addresses.allSatisfy { $0.hasPrefix("data:image/png;base64,") }, "\(figure.name)")
        #expect(!text.contains(#/ (d|x|y|x1|y1|x2|y2|cx|cy|r|width|height|points)="[^"]*(nan|inf)/#), "\(figure.name)")
        #expect(!text.contains("\u{202e}") && !text.contains("\u{0}"))
      }
    }
  }

  /// Text and rectangles that are not rotated are inside of the drawing.
  @Test(arguments: [300.0, 420, 720, 1200]) func nothingIsCutOff(width: Double) throws {
    for figure in Gallery.report.figures {
      let drawing = figure.chart.drawing(width: width)
      let found = try Elements(parsing: drawing.inline("x").source)
      for box in found.boxes where !box.isTurned {
        let isInside =
          box.left >= -1 && box.right <= drawing.width + 1 && box.top >= -1
          && box.bottom <= drawing.height + 1
        #expect(isInside, "\(figure.name) at \(width): \(box) in \(drawing.width) x \(drawing.height)")
      }
    }
  }

  @Test func thePageNeedsNothingFromOutside() throws {
    let html = Gallery.report.html()
    if let folder = ProcessInfo.processInfo.environment["APUS_GALLERY"] {
      try Data(html.utf8).write(to: URL(filePath: "\(folder)/gallery.html"))
      for figure in Gallery.report.figures {
        try Data(figure.chart.svg().utf8).write(to: URL(filePath: "\(folder)/\(figure.name).svg"))
      }
    }
    // The main element is well-formed XML too: its elements without content, such as images, close themselves.
    let start = try #require(html.range(of: "<main>")), end = try #require(html.range(of: "</main>"))
    let found = try Elements(parsing: String(html[start.lowerBound..<end.upperBound]))
    #expect(!found.names.contains("script") && !found.names.contains("link") && !found.names.contains("iframe"))
    #expect(found.addresses.allSatisfy { $0.hasPrefix("data:image/png;base64,") || $0.hasPrefix("#") })
    #expect(!html.contains("http://") && !html.contains("https://") && !html.contains("url("))
    #expect(html.contains("default-src 'none'") && html.contains("&lt;script&gt;alert(1)"))
    for figure in Gallery.report.figures { #expect(html.contains("data-name=\"\(figure.name)\"")) }
  }

  @Test func base64AsInTheSpecification() {
    let cases = [
      "": "", "f": "Zg==", "fo": "Zm8=", "foo": "Zm9v", "foob": "Zm9vYg==", "fooba": "Zm9vYmE=", "foobar": "Zm9vYmFy",
    ]
    for (plain, coded) in cases { #expect(Array(plain.utf8).base64 == coded) }
    let bytes = (0..<1000).map { UInt8(truncatingIfNeeded: $0 &* 167 &+ $0 >> 3) }
    #expect(bytes.base64 == Data(bytes).base64EncodedString())
  }

  @Test func coordinates() {
    #expect(
      [0, 1, -1, 1.5, -0.25, 2.999, 0.004, 12.05].map(\.coordinate) == [
        "0", "1", "-1", "1.5", "-0.25", "3", "0", "12.05",
      ])
    #expect([Double.nan, .infinity, 1e300].map(\.coordinate) == ["0", "0", "0"])
  }

  @Test func sizesOfPNGFiles() {
    #expect(Samples.checkerboard.pngSize?.width == 5 && Samples.checkerboard.pngSize?.height == 5)
    #expect(
      [UInt8](repeating: 0, count: 40).pngSize == nil && Samples.checkerboard.prefix(20).map { $0 }.pngSize == nil)
    var large = Samples.checkerboard
    large[16] = 0xff
    #expect(large.pngSize == nil)
  }

  @Test func textIsShortenedToFit() {
    #expect(TextExtent.fitting("short", 100) == "short")
    let cut = TextExtent.fitting(String(repeating: "w", count: 100_000), 100)
    #expect(cut.hasSuffix("…") && TextExtent.width(cut) <= 100)
    let end = TextExtent.fittingEnd("encoder.layers.encoder_layer_0.self_attention", 100)
    #expect(end.hasPrefix("…") && end.hasSuffix("self_attention".suffix(8)) && TextExtent.width(end) <= 100)
    #expect(TextExtent.fittingEnd("short", 100) == "short")
    #expect(TextExtent.lines("one two three", 60).allSatisfy { TextExtent.width($0) <= 60 })
  }

  /// The layers of one submodule become one node, and the edges between submodules remain.
  @Test func graphsAreGrouped() {
    let grouped = Gallery.graph.grouped(limit: 5)
    #expect(grouped.nodes.count == 4)
    #expect(grouped.nodes.map(\.sources) == [[-1], [0], [1], [1, 2]])
    let layerCount = 36_864 * 2 + 4096 + 128
    #expect(grouped.nodes[1].parameterCount == layerCount && grouped.nodes[1].path == "layer1")
    func total(_ graph: ModelGraph) -> Int { graph.nodes.map(\.parameterCount).reduce(0, +) }
    #expect(total(grouped) == total(Gallery.graph))
    #expect(Gallery.graph.grouped(limit: 9).nodes == Gallery.graph.nodes)
  }
}
