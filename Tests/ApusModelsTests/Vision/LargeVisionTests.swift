import Apus
import ApusTestSupport
import Foundation
import Testing

/// The folder of the fixture files, if `APUS_LARGE_FIXTURES` names one.
private let folder = ProcessInfo.processInfo.environment["APUS_LARGE_FIXTURES"]

/// The outputs and gradients of the catalog's image networks, in published sizes and in the sizes for small images,
/// agree with PyTorch. `Tests/Conformance/vision_large.py` writes the files and explains the tolerances.
@Suite(
  .enabled(
    if: folder != nil,
    "needs the files of Tests/Conformance/vision_large.py: APUS_LARGE_FIXTURES names their folder"),
  .serialized)
struct LargeVisionTests {
  /// The cases whose files exist.
  static let cases: [String] = {
    guard let folder, let files = try? FileManager.default.contentsOfDirectory(atPath: folder) else { return [] }
    return files.filter { $0.hasSuffix(".safetensors") }.map { String($0.dropLast(".safetensors".count)) }.sorted()
  }()

  /// A device with an element type.
  struct Run: Sendable, CustomTestStringConvertible {
    let test: TestDevice
    let dtype: DType

    var testDescription: String { "\(test.name), \(dtype)" }
  }

  /// Every device except the reference device, with `float32` and, if the device supports it, `float64`.
  /// `APUS_LARGE_RUNS` selects runs: it lists prefixes of their names, such as `cpu, float64`, separated by `;`.
  static let runs: [Run] = {
    let wanted = ProcessInfo.processInfo.environment["APUS_LARGE_RUNS"]?.split(separator: ";").map(String.init)
    return TestDevice.conformance.filter { $0.name != "reference" }
      .flatMap { test in
        (test.device.info.supportsFloat64 ? [.float64, .float32] : [.float32]).map { Run(test: test, dtype: $0) }
      }
      .filter { run in wanted?.contains { run.testDescription.hasPrefix($0) } ?? true }
  }()

  /// The catalog network of a case: `resnet18`, or `resnet18@32` for its form for small images.
  private static func network(_ name: String, _ input: Shape, classes: Int) throws -> any Layer {
    let parts = name.split(separator: "@").map(String.init)
    let description = try ModelDescription.find(parts[0])
    return try description.exampleModel(
      input: Array(input.dropFirst()), classes: classes, stem: parts.count == 1 ? .imageNet : .smallImage)
  }

  @Test func thereAreCases() { #expect(!LargeVisionTests.cases.isEmpty) }

  @Test(arguments: cases, runs) func agreesWithPyTorch(_ name: String, _ run: Run) throws {
    let fixture = try Fixture(path: "\(folder ?? "")/\(name).safetensors")
    try withDevice(run.test.device) { () throws in
      let x = try fixture.tensor(name, "input.0").cast(to: run.dtype)
      let classes = try fixture.tensor(name, "output.0").shape[1]
      let model = try LargeVisionTests.network(name, x.shape, classes: classes)
      let entries = model.state.entries
      #expect(entries.map(\.key).sorted() == fixture.keys(of: name, "state."))
      for entry in entries { entry.assign(try fixture.tensor(name, "state.\(entry.key)")) }
      model.convert(to: run.dtype)
      var comparison = try Comparison(fixture, name, run.dtype)
      let parameters = entries.filter { $0.parameter != nil }
      let mode: Mode = try fixture.numbers(name, "training")[0] == 1 ? .training : .inference
      let (y, found) = withMode(mode) {
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
      comparison.addAllGradients()
      print(try comparison.line(on: run))
      #expect(comparison.result.ratio <= 1, "\(comparison.result)")
      #expect(comparison.gradient.ratio <= 1, "\(comparison.gradient)")
    }
  }
}

/// The largest errors of a case, and their ratios to the tolerances.
///
/// In `float64`, the error of each element is at most 10⁻⁹ of the largest element of its tensor. In `float32`, the
/// error of results is at most the fraction `share` of the largest element. The script computes this fraction.
///
/// Gradients in `float32` are compared by the Euclidean norm of their difference: for each parameter, and with a
/// smaller tolerance for all parameters together. Single elements may have larger errors, since a rounding error can
/// change the sign of a ReLU's input. Therefore parameters with few elements, such as the only scale of a batch norm
/// with one channel, are compared only together with all others.
///
/// Biases before a batch norm have the gradient 0, except for rounding. The script stores a number from which their
/// tolerance follows.
private struct Comparison {
  /// The worst result so far: its error relative to the largest element or to the norm, the ratio of this error to the
  /// tolerance, and the key of the tensor.
  struct Worst {
    var error = 0.0
    var ratio = 0.0
    var place = ""
  }

  private static let shareOfDoubles = 1e-9
  private static let shareOfNorm = 0.1
  private static let shareOfAll = 0.05
  private static let fewNumbers = 16

  private let fixture: Fixture
  private let name: String
  private let dtype: DType
  /// The tolerance of results, relative to the largest element.
  private let share: Double
  private(set) var result = Worst()
  private(set) var gradient = Worst()
  private var squares = (difference: 0.0, expected: 0.0)

  init(_ fixture: Fixture, _ name: String, _ dtype: DType) throws {
    (self.fixture, self.name, self.dtype) = (fixture, name, dtype)
    share = dtype == .float64 ? Comparison.shareOfDoubles : try fixture.numbers(name, "share")[0]
  }

  private func numbers(_ found: Tensor, _ key: String) throws -> (found: [Double], expected: [Double]) {
    let expected = try fixture.numbers(name, key)
    #expect(expected.count == found.elementCount, "\(key)")
    // Some devices do not support float64.
    guard dtype == .float64 else { return (try found.cast(to: .float32).array().map { Double($0) }, expected) }
    return (try found.array(of: Double.self), expected)
  }

  /// The norms of the difference and of the expected elements: the maximum norm if `isLargest`, else the Euclidean
  /// norm.
  private func norms(_ found: Tensor, _ key: String, isLargest: Bool) throws -> (difference: Double, expected: Double) {
    let (found, expected) = try numbers(found, key)
    var (difference, norm) = (0.0, 0.0)
    for (one, other) in zip(found, expected) {
      // NaN counts as an infinite difference.
      let distance = one.isFinite ? abs(one - other) : .infinity
      difference = isLargest ? max(difference, distance) : difference + distance * distance
      norm = isLargest ? max(norm, abs(other)) : norm + other * other
    }
    return isLargest ? (difference, norm) : (difference.squareRoot(), norm.squareRoot())
  }

  mutating func addResult(_ found: Tensor, _ key: String) throws {
    let (difference, largest) = try norms(found, key, isLargest: true)
    let error = difference / max(largest, 1e-30)
    if error / share >= result.ratio { result = Worst(error: error, ratio: error / share, place: key) }
  }

  mutating func addGradient(_ found: Tensor, _ key: String) throws {
    let isDouble = dtype == .float64
    let (difference, norm) = try norms(found, "gradient.\(key)", isLargest: isDouble)
    var bound = norm * (isDouble ? Comparison.shareOfDoubles : Comparison.shareOfNorm)
    // A bias before a batch norm: the script explains the factor 40 and `terms`.
    if fixture.contains(name, "terms.\(key)") {
      bound += 40 * (isDouble ? 0x1p-53 : 0x1p-24) * (try fixture.numbers(name, "terms.\(key)")[0])
    }
    if !isDouble {
      squares = (squares.difference + difference * difference, squares.expected + norm * norm)
      if found.elementCount < Comparison.fewNumbers { return }
    }
    guard difference / bound >= gradient.ratio else { return }
    gradient = Worst(error: difference / max(norm, 1e-30), ratio: difference / bound, place: key)
  }

  /// Compares all gradients together, by the Euclidean norm; in `float32` only.
  mutating func addAllGradients() {
    let error = (squares.difference / max(squares.expected, 1e-30)).squareRoot()
    let ratio = error / Comparison.shareOfAll
    if ratio >= gradient.ratio { gradient = Worst(error: error, ratio: ratio, place: "all") }
  }

  /// A row of the table that the script builds.
  func line(on run: LargeVisionTests.Run) throws -> String {
    func text(_ worst: Worst) -> String { String(format: "%.1e|%.3f|%@", worst.error, worst.ratio, worst.place) }
    let peer = try ["", ".gradient"].map { String(format: "%.1e", try fixture.numbers(name, "float32\($0)")[0]) }
    let cells = [name, run.test.name, "\(run.dtype)"] + peer + [text(result), text(gradient)]
    return "large|" + cells.joined(separator: "|")
  }
}
