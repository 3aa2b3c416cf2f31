import Foundation
import FoundationXML

@testable import ApusReports

/// The elements that a strict XML parser finds in a chart or a page.
final class Elements: NSObject, XMLParserDelegate {
  struct Box {
    var left, right, top, bottom: Double
    var text: String
    var isTurned: Bool
  }

  struct Failure: Error, CustomStringConvertible {
    var description: String
  }

  private(set) var names: [String] = []
  /// The values of the attributes `href` and `src`.
  private(set) var addresses: [String] = []
  /// The rectangles, whose `text` is "rect", and the texts, whose extents are estimated.
  private(set) var boxes: [Box] = []
  private var open: [(name: String, attributes: [String: String], text: String)] = []
  /// Whether each open element, or an element around it, is rotated.
  private var rotations = [false]

  init(parsing text: String) throws {
    super.init()
    let parser = XMLParser(data: Data(text.utf8))
    parser.delegate = self
    guard parser.parse() else {
      throw Failure(
        description:
          "line \(parser.lineNumber), column \(parser.columnNumber): \(String(describing: parser.parserError))")
    }
  }

  func parser(
    _ parser: XMLParser, didStartElement name: String, namespaceURI: String?, qualifiedName: String?,
    attributes: [String: String]
  ) {
    names.append(name)
    addresses += [attributes["href"], attributes["src"]].compactMap { $0 }
    open.append((name, attributes, ""))
    let isTurned = rotations.last! || attributes["transform"]?.contains("rotate") == true
    rotations.append(isTurned)
    if name == "rect", let width = Double(attributes["width"] ?? ""), let height = Double(attributes["height"] ?? "") {
      let (x, y) = (Double(attributes["x"] ?? "0") ?? 0, Double(attributes["y"] ?? "0") ?? 0)
      boxes.append(Box(left: x, right: x + width, top: y, bottom: y + height, text: "rect", isTurned: isTurned))
    }
  }

  func parser(_ parser: XMLParser, foundCharacters string: String) {
    guard !open.isEmpty else { return }
    open[open.count - 1].text += string
  }

  func parser(_ parser: XMLParser, didEndElement name: String, namespaceURI: String?, qualifiedName: String?) {
    let (_, attributes, text) = open.removeLast()
    let isTurned = rotations.removeLast()
    guard name == "text", let x = Double(attributes["x"] ?? ""), let y = Double(attributes["y"] ?? "") else { return }
    let style = (attributes["class"] ?? "").split(separator: " ")
    let size = style.contains("tiny") ? 9 : style.contains("small") ? 10.5 : 12
    let width = TextExtent.width(text, size: size)
    let left = style.contains("end") ? x - width : style.contains("mid") ? x - width / 2 : x
    boxes.append(
      Box(left: left, right: left + width, top: y - size * 0.8, bottom: y + size * 0.2, text: text, isTurned: isTurned))
  }
}
