import Apus
import ApusTestSupport
import Foundation
import Testing

/// The folder of the files, if it is named.
private let folder = ProcessInfo.processInfo.environment["APUS_LARGE_FIXTURES"]

/// Networks for images in their published sizes against one training step of PyTorch's, in the files that
/// `Tests/Conformance/vision_large.py` makes, which says where the bounds come from.
@Suite(
  .enabled(
    if: folder != nil,
    "needs the files of Tests/Conformance/vision_large.py: APUS_LARGE_FIXTURES names their folder"),
  .serialized)
struct LargeVisionTests {
  /// The cases whose files are there.
  static let cases: [String] = {
    guard let folder, let files = try? FileManager.default.contentsOfDirectory(atPath: folder) else { return [] }
    return files.filter { $0.hasSuffix(".safetensors") }.map { String($0.dropLast(".safetensors".count)) }.sorted()
  }()

  private static let devices = TestDevice.conformance.filter { $0.name != "reference" }

  /// A network by its name in the script.
  private static func network(_ name: String) -> (any Layer)? {
    let isSmall = name.hasSuffix("-small")
    let stem: ImageStem = isSmall ? .smallImage : .imageNet
    let classes = isSmall ? 10 : 1000
    let (vgg11, vgg16, deep) = ([1, 1, 2, 2, 2], [2, 2, 3, 3, 3], [3, 4, 6, 3])
    func vgg(_ convolutions: [Int], _ isNormalized: Bool) -> VGG {
      VGG(convolutions: convolutions, isNormalized: isNormalized, classes: classes, dropout: 0, stem: stem)
    }
    func resNet(
      _ blocks: [Int] = [2, 2, 2, 2], of block: ResNet.Block = .basic, attention: ResNet.Attention = .none
    ) -> ResNet {
      ResNet(blocks: blocks, of: block, attention: attention, classes: classes, stem: stem)
    }
    switch name == "vit-small" || !isSmall ? name : String(name.dropLast("-small".count)) {
    case "alexnet": return AlexNet(classes: classes, dropout: 0, stem: stem)
    case "alexnet-2012": return AlexNet(columns: 2, classes: classes, dropout: 0, stem: stem)
    case "vgg11": return vgg(vgg11, false)
    case "vgg11-bn": return vgg(vgg11, true)
    case "vgg16": return vgg(vgg16, false)
    case "vgg16-bn": return vgg(vgg16, true)
    case "resnet18": return resNet()
    case "resnet34": return resNet(deep)
    case "resnet50": return resNet(deep, of: .bottleneck)
    case "se-resnet18": return resNet(attention: .squeezeExcite())
    case "se-resnet50": return resNet(deep, of: .bottleneck, attention: .squeezeExcite())
    case "cbam-resnet18": return resNet(attention: .cbam())
    case "densenet121": return DenseNet(classes: classes, stem: stem)
    case "vit-b-16": return VisionTransformer.base16()
    case "vit-small": return VisionTransformer.small()
    default: return nil
    }
  }

  @Test func thereAreCases() { #expect(!LargeVisionTests.cases.isEmpty) }

  @Test(arguments: cases, devices) func agreesWithPyTorch(_ name: String, _ test: TestDevice) throws {
    let fixture = try Fixture(path: "\(folder ?? "")/\(name).safetensors")
    try withDevice(test.device) { () throws in
      let model = try #require(LargeVisionTests.network(name), "no network of this name")
      let entries = model.state.entries
      #expect(entries.map(\.key).sorted() == fixture.keys(of: name, "state."))
      for entry in entries { entry.assign(try fixture.tensor(name, "state.\(entry.key)")) }
      var comparison = try Comparison(fixture, name)
      let parameters = entries.filter { $0.parameter != nil }
      let x = try fixture.tensor(name, "input.0")
      let (y, found) = withMode(.training) {
        recordingGradients { () -> (Tensor, [Tensor]) in
          let y = model(x)
          return (y, gradients(of: patternLoss([y]), withRespectTo: [x] + parameters.map(\.value)))
        }
      }
      try eval([y] + found)
      try comparison.addResult(y, "output.0")
      for entry in entries where entry.parameter == nil { try comparison.addResult(entry.value, "after.\(entry.key)") }
      for (key, gradient) in zip(["input.0"] + parameters.map(\.key), found) {
        try comparison.addGradient(gradient, key)
      }
      print(comparison.line(on: test))
      #expect(comparison.result.ratio <= 1, "\(comparison.result)")
      #expect(comparison.gradient.ratio <= 1, "\(comparison.gradient)")
    }
  }
}

/// The worst differences of a case, and how much of their bounds they take.
private struct Comparison {
  /// A difference, relative to the largest number or the norm.
  struct Worst {
    var error = 0.0
    var ratio = 0.0
    var place = ""
  }

  private let fixture: Fixture
  private let name: String
  /// What results may be off, of the largest one.
  private let share: Double
  /// What sums of that length may be off.
  private let unit: Double
  /// How far PyTorch's own results in float32 are off.
  private let peer: Double
  private(set) var result = Worst()
  private(set) var gradient = Worst()

  init(_ fixture: Fixture, _ name: String) throws {
    (self.fixture, self.name) = (fixture, name)
    func number(_ key: String) throws -> Double { try fixture.numbers(name, key)[0] }
    (share, unit, peer) = (try number("share"), try number("unit"), try number("float32"))
  }

  private func numbers(_ found: Tensor, _ key: String) throws -> (found: [Float], expected: [Float]) {
    let expected = try fixture.tensor(name, key)
    #expect(expected.shape == found.shape, "\(key)")
    return (try found.cast(to: .float32).array(of: Float.self), try expected.cast(to: .float32).array(of: Float.self))
  }

  mutating func addResult(_ found: Tensor, _ key: String) throws {
    let (found, expected) = try numbers(found, key)
    var (largest, difference) = (0.0, 0.0)
    for (one, other) in zip(found, expected) {
      largest = max(largest, Double(abs(other)))
      // NaN is as far as can be.
      difference = max(difference, one.isFinite ? Double(abs(one - other)) : .infinity)
    }
    let error = difference / max(largest, 1e-30)
    if error / share >= result.ratio { result = Worst(error: error, ratio: error / share, place: key) }
  }

  mutating func addGradient(_ found: Tensor, _ key: String) throws {
    let (found, expected) = try numbers(found, "gradient.\(key)")
    var (square, difference) = (0.0, 0.0)
    for (one, other) in zip(found, expected) {
      square += Double(other) * Double(other)
      let distance = Double(one) - Double(other)
      difference += distance.isFinite ? distance * distance : .infinity
    }
    let norm = square.squareRoot()
    var bound = 10 * unit * norm + (try fixture.numbers(name, "moved.\(key)")[0])
    if fixture.contains(name, "terms.\(key)") {
      bound += 10 * 4 * 0x1p-24 * (try fixture.numbers(name, "terms.\(key)")[0])
    }
    let ratio = difference.squareRoot() / bound
    guard ratio.isNaN || ratio >= gradient.ratio else { return }
    gradient = Worst(
      error: difference.squareRoot() / max(norm, 1e-30), ratio: ratio.isNaN ? .infinity : ratio, place: key)
  }

  /// What the script makes a table of.
  func line(on test: TestDevice) -> String {
    func text(_ worst: Worst) -> String {
      String(format: "%.1e|%.3f", worst.error, worst.ratio)
    }
    let cells = [name, test.name, String(format: "%.1e", peer), text(result), text(gradient), gradient.place]
    return "large|" + cells.joined(separator: "|")
  }
}
