import Apus
import ApusTestSupport
import Foundation
import Testing

@testable import ApusRuns

/// The results of the commands `errors`, `predict --tile-overlap` and `learning-curve`, computed from Swift.
@Suite struct RunMeasureTests {
  private let fixture: RunFixture

  init() throws { fixture = try RunFixture(steps: 4, trainCount: 1000) }

  private func write(_ image: Image, _ name: String) throws -> String {
    try fixture.scratch.write(image.pngData(), to: name)
  }

  @Test func wrongPredictionsAreListed() throws {
    let (run, _) = try Run.train(fixture.settings(), output: fixture.scratch.file("run"))
    let errors = try run.errors()
    let measured = try run.evaluate()
    #expect(errors.part == .test && errors.source == "synthetic" && errors.analysis.count == measured.count)
    let accuracy = try #require(measured.accuracy)
    #expect(abs(errors.analysis.accuracy - accuracy) < 1e-12)
    let losses = errors.analysis.entries.map(\.loss)
    #expect(losses == losses.sorted(by: >) && errors.analysis.entries.allSatisfy { $0.truth != $0.predicted })
    #expect(try run.errors(part: .train).part == .train)
    #expect(throws: OptionError.self) { try run.errors(threshold: 0.5) }
  }

  @Test func modelsWithoutClassesHaveNoErrors() throws {
    let rows = (0..<40).map { "\($0 % 9),\(Double($0 % 9) * 2 + 0.25)" }
    let table = try fixture.scratch.write(Array((["a,b"] + rows).joined(separator: "\n").utf8), to: "t.csv")
    let numbers = try RunSettings("mlp", ["data": .string("csv:\(table)"), "epochs": 1, "target": "b"])
    let (run, _) = try Run.train(numbers, output: fixture.scratch.file("table"))
    let refused = #expect(throws: OptionError.self) { try run.errors() }
    #expect(refused?.message == "mlp is a regression model; try apus evaluate")
    let tiles = #expect(throws: OptionError.self) { try run.predictTiles([table], overlap: 0) }
    #expect(tiles?.message == "--tile-overlap is for images, but the model takes \(run.format.examplesName)")
  }

  @Test func largeImagesArePredictedByTiles() throws {
    let (run, _) = try Run.train(fixture.settings(), output: fixture.scratch.file("run"))
    let pixels = (0..<40 * 70).map { UInt8($0 * 7 % 256) }
    let large = try write(Image(height: 40, width: 70, channels: 1, pixels: pixels), "large.png")
    let found = try #require(try run.predictTiles([large], overlap: 4).first)
    // Along each axis, a tile of 28 pixels begins every 24 pixels, and the last tile ends at the edge of the image: 2
    // rows of 3 tiles.
    #expect(found.file == large && found.tiles.map(\.left) == [0, 24, 42, 0, 24, 42])
    #expect(found.tiles.map(\.top) == [0, 0, 0, 12, 12, 12])
    #expect(found.name == run.classNames[found.label] && (0.1...1).contains(found.probability))
    #expect(found.tiles.allSatisfy { $0.name == run.classNames[$0.label] && $0.probability >= 0.1 })
    #expect(found.overlay.size == ImageSize(height: 40, width: 70))
    // An image of the model's size has one tile. The prediction for the tile is the prediction for the image.
    let small = try write(
      Image(height: 28, width: 28, channels: 1, pixels: Array(pixels.prefix(28 * 28))), "small.png")
    let (tiled, direct) = (try run.predictTiles([small], overlap: 0), try run.predict([small]))
    #expect(tiled.map(\.label) == direct.map { $0.label } && tiled[0].tiles.count == 1)
    #expect(abs(tiled[0].probability - (direct[0].probability ?? 0)) < 1e-6)
    let wide = #expect(throws: OptionError.self) { try run.predictTiles([large], overlap: 28) }
    #expect(wide?.message.hasPrefix("--tile-overlap 28: the overlap must be smaller than a tile") == true)
    #expect(throws: OptionError.self) { try run.predictTiles([large], overlap: 0, threshold: 0.5) }
  }

  @Test func learningCurvesAreMeasured() throws {
    var options = LearningCurveOptions()
    (options.fractions, options.repeats, options.output) = ([1, 0.25], 2, fixture.scratch.file("curve"))
    let settings = try RunSettings("mlp", ["data": "synthetic", "batch_size": 500, "steps": 2, "train_count": 1000])
    var seen: [MeasuredSubset] = []
    let curve = try Run.learningCurve(settings, options) { seen.append($0) }
    #expect(curve.points.map(\.size) == [250, 1000])
    #expect(seen.map(\.number) == [1, 2, 3, 4] && seen.allSatisfy { $0.count == 4 })
    #expect(seen.map(\.run) == curve.points.flatMap(\.runs) && seen.map(\.run.seed) == [0, 1, 0, 1])
    #expect(seen.allSatisfy { (0...1).contains($0.run.train) && (0...1).contains($0.run.validation) })
    let written = try JSON(
      parsing: [UInt8](Data(contentsOf: URL(filePath: fixture.scratch.file("curve/learning-curve.json")))))
    #expect(written["points"] == curve.json["points"] && written["settings"]?["model"]?.string == "mlp")
    #expect(throws: OptionError.self) { try Run.learningCurve(RunSettings("char-lstm"), options) }
  }
}
