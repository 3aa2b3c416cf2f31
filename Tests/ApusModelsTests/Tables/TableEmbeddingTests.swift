import Apus
import Testing

/// Codes (integers that stand for categories) in the columns of a table become embedding vectors.
@Suite struct TableEmbeddingTests {
  private let codes = [TableEmbedding.Code(feature: 1, count: 4), TableEmbedding.Code(feature: 3, count: 130)]

  /// The output has the numeric columns first, unchanged, then the embedding vector of each code. The vector of code 0
  /// is initialized with zeros.
  @Test func numbersPassAndCodesBecomeRows() throws {
    try withDevice(.named("cpu")) {
      let layer = withRandomKey(RandomKey(seed: 3)) { TableEmbedding(width: 5, codes: codes) }
      let entries = layer.state.entries
      #expect(entries.map(\.key) == ["embeddings.0.weight", "embeddings.1.weight"])
      #expect(entries.map { Array($0.shape) } == [[4, 2], [130, 50]])
      let first = try entries[0].value.array(of: Float.self)
      let second = try entries[1].value.array(of: Float.self)
      #expect(first.prefix(2).allSatisfy { $0 == 0 } && !first.dropFirst(2).contains(0))
      let x = Tensor([0.5, 3, -2, 129, 7, 1.5, 0, 4, 1, -7] as [Float], shape: [2, 5])
      let y = layer(x)
      #expect(Array(y.shape) == [2, 55] && TableEmbedding.outputWidth(of: 5, codes: codes) == 55)
      let values = try y.array(of: Float.self)
      #expect(Array(values[0..<3]) == [0.5, -2, 7] && Array(values[55..<58]) == [1.5, 4, -7])
      #expect(Array(values[3..<5]) == Array(first[6..<8]) && Array(values[58..<60]) == [0, 0])
      #expect(Array(values[5..<55]) == Array(second[6450..<6500]) && Array(values[60...]) == Array(second[50..<100]))
    }
  }

  /// The gradient of an embedding row is the sum of the gradients of the examples that have the row's code.
  @Test func embeddingGradientsAreSummedByCode() throws {
    try withDevice(.named("cpu")) {
      let layer = TableEmbedding(width: 2, codes: [TableEmbedding.Code(feature: 0, count: 3)])
      let x = Tensor([2, 0.5, 0, 1, 2, 4] as [Float], shape: [3, 2])
      let (_, gradients) = valueAndGradients(of: layer.parameters) {
        (layer(x) * x.slice(axis: 1, from: 1, count: 1)).sum()
      }
      let found = try #require(gradients.tensors[0]).array(of: Float.self)
      #expect(found == [1, 1, 0, 0, 4.5, 4.5])
    }
  }

  /// Chains of dense layers become models for tables. `tableModel` throws if the network is not a chain, has layers for
  /// images or sequences, or does not end with a dense layer.
  @Test func chainsOfDenseLayersTakeTables() throws {
    try withDevice(.named("cpu")) { () throws in
      let plain = try ImageNetwork.mlp.tableModel(width: 7, outputs: 1)
      #expect(plain.parameters.map { Array($0.shape) } == [[256, 7], [256], [128, 256], [128], [1, 128], [1]])
      let coded = try ImageNetwork.mlp.tableModel(width: 5, codes: codes, outputs: 3)
      #expect(Array(coded(.zeros([2, 5])).shape) == [2, 3])
      #expect(coded.state.entries.first?.key == "0.embeddings.0.weight")
    }
    for text in ["conv 3 3x3, dense 2", "rows, lstm 4, dense 2", "residual(pool 2), dense 2", "dense 3, relu"] {
      let network = ImageNetwork(layers: try LayerList(parsing: text))
      #expect(throws: ModelError.self, "\(text)") { try network.tableModel(width: 4, outputs: 2) }
    }
  }
}
