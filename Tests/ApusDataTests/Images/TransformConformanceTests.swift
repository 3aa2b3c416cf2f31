import ApusTestSupport
import Testing

@testable import ApusData

/// The pixel values of transforms differ by at most 1 from those of Pillow, PyTorch and torchvision.
struct TransformConformanceTests {
  private let fixture: Fixture

  init() throws { fixture = try Fixture("transforms") }

  private func result(_ name: String) throws -> Image {
    let channels = Int(try fixture.numbers(name, "channels")[0])
    let pixels = try fixture.bytes("picture \(channels)", "pixels")
    var image = Image(height: 23, width: 31, channels: channels, pixels: pixels)
    let numbers = try fixture.numbers(name, "numbers")
    let extents = try fixture.numbers(name, "size").map { Int($0) }
    let size = ImageSize(height: extents[0], width: extents[1])
    let words = name.split(separator: " ").map(String.init)
    switch words[0] {
    case "antialias", "box", "bicubic", "bilinear":
      let part = ImageSize(height: Int(numbers[2]), width: Int(numbers[3]))
      let filter = try #require(ResampleFilter(rawValue: words[0]))
      image = image.resized(top: Int(numbers[0]), left: Int(numbers[1]), part, to: size, filter: filter)
    case "affine", "rotate":
      let map = AffineMap(
        angle: numbers[0], right: numbers[1], down: numbers[2], scale: numbers[3], shearX: numbers[4],
        shearY: numbers[5])
      image = image.mapped(by: map, fill: UInt8(numbers[6]))
    case "brightness": image.changeBrightness(by: numbers[0])
    case "contrast": image.changeContrast(by: numbers[0])
    case "saturation": image.changeSaturation(by: numbers[0])
    case "hue": image.turnHues(by: numbers[0])
    case "gray": image = image.converted(toChannels: 1)
    case "pad":
      let edges: EdgeMode = words[1] == "reflect" ? .reflect : words[1] == "replicate" ? .replicate : .constant(77)
      image = image.cropped(top: -Int(numbers[0]), left: -Int(numbers[2]), size, edges: edges)
    case "center": image = image.centerCropped(to: size)
    case "gaussian": image = image.pyramid(levels: 2)[1]
    case "mean": image = image.pyramid(levels: 2, filter: .box)[1]
    default: Issue.record("\(name): unknown transform")
    }
    return image
  }

  @Test func transformsAgreeWithTheLibraries() throws {
    let names = fixture.cases.filter { !$0.hasPrefix("picture") }
    #expect(names.count == 131)
    var worst: [String: (error: Int, off: Double)] = [:]
    for name in names {
      let found = try result(name)
      let expected = try fixture.bytes(name, "output")
      try #require(found.pixels.count == expected.count, "\(name): [\(found.size), \(found.channels)]")
      let errors = zip(found.pixels, expected).map { abs(Int($0) - Int($1)) }
      let error = errors.max() ?? 0
      #expect(error <= 1, "\(name): off by \(error)")
      let off = Double(errors.count { $0 > 0 }) / Double(errors.count)
      let kind = String(name.prefix { $0 != " " })
      worst[kind] = (max(error, worst[kind]?.error ?? 0), max(off, worst[kind]?.off ?? 0))
    }
    for (kind, row) in worst.sorted(by: { $0.key < $1.key }) {
      print("conformance: \(kind): at most \(row.error) of 255, in \((row.off * 1000).rounded() / 10) % of the pixels")
    }
    // These transforms agree exactly.
    for kind in ["pad", "center", "gaussian", "mean", "gray"] { #expect(worst[kind]?.error == 0, "\(kind)") }
  }
}
