import Apus
import ApusNN
import ApusTestSupport
import Testing

@testable import ApusTraining

/// Saliency and Grad-CAM, which agree with PyTorch's results from `Tests/Conformance/inspection.py`; statistics and
/// graphs of models; images made from numbers.
struct InspectionTests {
  private func chain(_ fixture: Fixture) throws -> Sequential {
    let model = Sequential {
      Conv2d(2, 4, kernel: 3, padding: 1)
      ReLU()
      MaxPool2d(2)
      Conv2d(4, 6, kernel: 3, padding: 1)
      ReLU()
      Flatten()
      Linear(96, 5)
    }
    for entry in model.state.entries { entry.assign(try fixture.tensor("chain", "state.\(entry.key)")) }
    return model
  }

  @Test func agreesWithPyTorch() throws {
    let fixture = try Fixture("inspection")
    try withDevice(.named("cpu")) { () throws in
      let model = try chain(fixture)
      let (x, classes) = (try fixture.tensor("chain", "input.0"), try fixture.tensor("chain", "input.1"))
      let found: [(key: String, value: Tensor, bound: Double)] = [
        ("output.0", withMode(.inference) { model(x) }, 1),
        ("saliency", model.saliency(of: x, classes: classes), 10), ("saliency.largest", model.saliency(of: x), 10),
        ("cam", try #require(model.gradCAM(of: x, classes: classes)), 10),
        ("cam.4", try #require(model.gradCAM(of: x, classes: classes, at: "4")), 10),
      ]
      for (key, value, bound) in found {
        let error = try fixture.error(of: value, "chain", key)
        print("conformance: inspection, \(key): \(error) of \(bound)")
        #expect(error <= bound, "\(key)")
      }
    }
  }

  /// Without a layer that returns images there is no Grad-CAM, but there are saliency maps.
  @Test func gradCAMNeedsALayerOfImages() throws {
    try withDevice(.named("cpu")) { () throws in
      let model = Sequential {
        Flatten()
        Linear(12, 3)
      }
      let x = Tensor.ones([2, 3, 2, 2])
      #expect(
        model.gradCAM(of: x) == nil && model.gradCAM(of: x, at: "1") == nil && model.gradCAM(of: x, at: "9") == nil)
      #expect(Array(model.saliency(of: x).shape) == [2, 2, 2])
      #expect(LayerTrace(of: model, on: x).layers.map(\.path) == ["0", "1"])
      #expect(throws: ShapeError.self) { try checkingShapes { Conv2d(3, 4, kernel: 1).saliency(of: x) } }
    }
  }

  /// A rectifier unit after a bias of −100 is dead; one after a bias of 0 or +100 is not.
  @Test func statistics() throws {
    try withDevice(.named("cpu")) { () throws in
      let model = Sequential {
        Linear(2, 4)
        ReLU()
      }
      let entries = model.state.entries
      entries[0].assign(Tensor([1, 0, 0, 1, 1, 1, 2, 2] as [Float], shape: [4, 2]))
      entries[1].assign(Tensor([-100, 100, 0, -100] as [Float]))
      let x = Tensor([1, 2, 3, 4, 5, 6] as [Float], shape: [3, 2])
      let outputs = try model.outputStatistics(for: x)
      #expect(outputs.map(\.name) == ["0 Linear", "1 ReLU"] && outputs.map(\.deadShare) == [0, 0.5])
      #expect(outputs[1].zeroShare == 0.5 && outputs[1].range == 0...106)
      let weight = try model.parameterStatistics()[0]
      #expect(weight.name == "0.weight" && weight.mean == 1 && weight.shape == [4, 2] && weight.deadShare == nil)
      #expect(abs(weight.deviation - (4.0 / 8).squareRoot()) < 1e-12 && weight.zeroShare == 0.25)
      let odd = ValueStatistics("x", [.nan, .infinity, 1, 3], shape: [4], hasUnits: true)
      #expect(odd.nonFiniteCount == 2 && odd.mean == 2 && odd.deadShare == nil)
    }
  }

  /// Layers that each receive the input of the model and the outputs of all layers before them.
  private struct Joined: Layer {
    let first = Linear(4, 2)
    let second = Linear(6, 3)
    let last = Linear(9, 2)

    func callAsFunction(_ x: Tensor) -> Tensor {
      let y = Tensor.concatenated([x, first(x)], axis: 1)
      let z = Tensor.concatenated([y, second(y)], axis: 1)
      return last(z)
    }
  }

  /// Concatenations are nodes of the graph, also nested concatenations.
  @Test func concatenations() throws {
    let graph = try withDevice(.named("cpu")) { () throws in
      try ModelGraph("joined", of: Joined(), input: [4], dtype: .float32)
    }
    #expect(graph.nodes.map(\.sources) == [[-1], [-1, 0], [1], [1, 2], [3]], "\(graph.nodes.map(\.sources))")
    #expect(graph.nodes.map(\.type) == ["Linear", "concatenate", "Linear", "concatenate", "Linear"])
  }

  /// A block whose input bypasses two layers and is added to their output.
  private struct Residual: Layer {
    let first = Linear(4, 4)
    let second = Linear(4, 4)
    let last = Linear(4, 2)

    func callAsFunction(_ x: Tensor) -> Tensor {
      let y = LayerTrace.run("second", second, LayerTrace.run("first", first, x).relu())
      return LayerTrace.run("last", last, y + x)
    }
  }

  /// Additions are nodes of the graph. Activations are listed with the layer after them.
  @Test func sums() throws {
    let graph = try withDevice(.named("cpu")) { () throws in
      try ModelGraph("residual", of: Residual(), input: [4], dtype: .float32)
    }
    #expect(graph.nodes.map(\.sources) == [[-1], [0], [-1, 1], [2]])
    #expect(graph.nodes.map(\.operations) == [[], ["relu"], [], []], "\(graph.nodes.map(\.operations))")
    #expect(graph.nodes.map(\.type) == ["Linear", "Linear", "add", "Linear"])
    #expect(graph.nodes.map(\.parameterCount) == [20, 20, 0, 10])
    #expect(graph.nodes.map(\.path) == ["first", "second", "add", "last"])
  }

  /// Numbers as images: shades of gray, color channels, and colors over an image.
  @Test func numbersAsImages() {
    let shades = Image.shades(of: [0, 1, .nan, 2], height: 2, width: 2)
    #expect(shades.pixels == [0, 128, 0, 255] && shades.channels == 1)
    #expect(Image.shades(of: [5, 5], height: 1, width: 2).pixels == [0, 0])
    #expect(Image.shades(of: [-1, 0.5, 9], height: 1, width: 3, range: 0...1).pixels == [0, 128, 255])
    let colors = Image.channels([0, 1, 0, 0, 1, 1], count: 3, height: 1, width: 2)
    #expect(colors.pixels == [0, 0, 255, 255, 0, 255] && colors.channels == 3)
    #expect(Image.channels([0, 2, 4, 0], count: 2, height: 1, width: 2).pixels == [255, 0])
    let over = shades.overlaid(with: [0, 0, 1, .nan])
    #expect(Array(over.pixels[..<6]) == [0, 0, 0, 128, 128, 128] && over.pixels[9] == 255)
    #expect(over.pixels[6] > 150 && over.pixels[8] < over.pixels[6])
  }
}
