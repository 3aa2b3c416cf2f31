import Apus
import ApusNN
import ApusTensor
import ApusTestSupport
import Testing

@testable import ApusModels

struct CatalogTests {
  /// In the graph of a Vision Transformer, only the additions of residual connections have two sources.
  @Test func onlyResidualAdditionsHaveTwoSources() throws {
    let graph = try withDevice(.named("cpu")) { () throws in
      let model = VisionTransformer(imageSize: 8, patch: 4, width: 8, depth: 4, heads: 2, channels: 1, classes: 3)
      return try ModelGraph("vit", of: model, input: [1, 8, 8], dtype: .float32)
    }
    let sums = graph.nodes.filter { $0.type == "add" }
    #expect(sums.count == 8 && sums.allSatisfy { $0.sources.count == 2 })
    #expect(graph.nodes.allSatisfy { $0.sources.count == ($0.type == "add" ? 2 : 1) })
  }

  @Test func everyModelFitsItsInput() throws {
    try withDevice(ComputeDevice(backend: RecordingDevice())) { () throws in
      for model in ModelDescription.all {
        let summary = try ModelSummary(of: model.exampleModel(), input: model.exampleInput())
        switch model.kind {
        case .images(let network):
          #expect(summary.output == [network.classes ?? 0], "\(model.name)")
          if let layers = network.layers { #expect(try LayerList(parsing: layers.description) == layers) }
        case .language(let network): #expect(summary.output == [network.sequenceLength, network.vocabularySize])
        case .texts: #expect(summary.output == [2])
        }
        #expect(summary.rows.map(\.parameterCount).reduce(0, +) == summary.trainableCount, "\(model.name)")
        #expect(try ModelDescription.find(model.name).name == model.name)
      }
    }
    #expect(Set(ModelDescription.all.map(\.name)).count == ModelDescription.all.count)
  }

  @Test func unknownModelsNameTheNearest() {
    let error = #expect(throws: ModelError.self) { try ModelDescription.find("lenet") }
    #expect(error?.description == "unknown model \"lenet\"; did you mean lenet5?")
    let other = #expect(throws: ModelError.self) { try ModelDescription.find("zzzzzzzzzz") }
    let names = ModelDescription.all.map(\.name).joined(separator: ", ")
    #expect(other?.description == "unknown model \"zzzzzzzzzz\"; choose from \(names)")
  }

  /// The counts for 1,000 classes are those of ViT-B/16 (Dosovitskiy et al.) and of ViT-S/16, which has the size of
  /// DeiT-S (Touvron et al.).
  ///
  /// The count for 32 × 32 color images of ten classes is computed by hand, with a width of 192:
  ///
  /// - patches 48 · 192 + 192, class token 192, positions 65 · 192
  /// - each of six blocks: attention 4 · (192² + 192), dense layers 2 · 4 · 192² + 5 · 192, norms 4 · 192
  /// - final norm 2 · 192, last layer 192 · 10 + 10
  ///
  /// For 28 × 28 gray images, the patches term is 16 · 192 + 192 and the positions term 50 · 192.
  @Test func parametersOfVisionTransformers() throws {
    try withDevice(ComputeDevice(backend: RecordingDevice())) { () throws in
      func count(_ name: String, _ input: [Int]? = nil, classes: Int? = nil) throws -> Int {
        let model = try ModelDescription.find(name).exampleModel(input: input, classes: classes)
        return model.parameters.reduce(0) { $0 + $1.shape.elementCount }
      }
      #expect(try count("vit-small") == 22_050_664)
      #expect(try count("vit-b-16") == 86_567_656)
      #expect(try count("vit-small", [3, 32, 32], classes: 10) == 2_693_578)
      #expect(try count("vit-small", [1, 28, 28], classes: 10) == 2_684_554)
    }
  }

  /// By hand: the convolutions need 28·28·6·25 + 10·10·16·150 multiply-adds, the dense layers
  /// 400·120 + 120·84 + 84·10.
  @Test func costsOfLeNet5() throws {
    let stages = try ImageNetwork.lenet5.layers!.stages(for: [1, 28, 28])
    #expect(stages.reduce(0) { $0 + $1.multiplyAddCount } == 416_520)
    #expect(stages.map(\.parameterCount) == [156, 0, 0, 2416, 0, 0, 0, 48_120, 0, 10_164, 0, 850])
  }

  /// By hand: the recurrent layer has gates · 128 · (28 + 128 + 2) weights and biases, with 1 gate in an RNN, 4 in an
  /// LSTM and 3 in a GRU. The last layer has 128 · 10 + 10.
  @Test(arguments: [("rnn", 21_514), ("lstm", 82_186), ("gru", 61_962)])
  func parametersOfRecurrentModels(_ name: String, _ count: Int) throws {
    guard case .images(let description) = try ModelDescription.find(name).kind else { throw ModelError.misfit(name) }
    #expect(try description.layers!.stages(for: [1, 28, 28]).reduce(0) { $0 + $1.parameterCount } == count)
    #expect(try description.model().parameters.reduce(0) { $0 + $1.shape.elementCount } == count)
  }

  @Test func recurrentLayersInLists() throws {
    let text = "rows, gru 6 layers 2 both all no-bias, dropout 0.1, lstm 5 both, dense 3"
    let list = try LayerList(parsing: text)
    #expect(list.description == text)
    let stages = try list.stages(for: [2, 4, 3])
    #expect(stages.map(\.output) == [[4, 6], [4, 12], [4, 12], [10], [3]])
    let model = try list.model(for: [2, 4, 3])
    #expect(model.parameters.reduce(0) { $0 + $1.shape.elementCount } == stages.reduce(0) { $0 + $1.parameterCount })
    #expect(withMode(.inference) { model(.zeros([7, 2, 4, 3])) }.shape == [7, 3])
    for wrong in ["lstm 5", "rows, conv 3 3", "rows, batchnorm", "rows, lstm 5, lstm 5", "rows, gru 3 twice"] {
      #expect(throws: LayerListError.self) { _ = try LayerList(parsing: wrong).stages(for: [2, 4, 3]) }
    }
  }

  @Test func costsWithGroupsAndWithoutBias() throws {
    let list = try LayerList(parsing: "conv 8 3 pad same groups 2 no-bias, batchnorm, dense 5 no-bias")
    let stages = try list.stages(for: [4, 6, 6])
    #expect(stages.map(\.parameterCount) == [8 * 2 * 9, 16, 0, 8 * 36 * 5])
    #expect(stages.map(\.multiplyAddCount) == [8 * 36 * 18, 0, 0, 8 * 36 * 5])
  }
}
