import Testing

@testable import ApusModels

struct CatalogTests {
  @Test func everyModelFitsItsInput() throws {
    for model in ModelDescription.all {
      let stages = try model.layers.stages(for: model.inputSize)
      #expect(stages.last?.output == [10], "\(model.name)")
      #expect(try LayerList(parsing: model.layers.description) == model.layers)
      #expect(try ModelDescription.find(model.name).name == model.name)
    }
    #expect(Set(ModelDescription.all.map(\.name)).count == ModelDescription.all.count)
  }

  @Test func unknownModelsNameTheNearest() {
    let error = #expect(throws: ModelError.self) { try ModelDescription.find("lenet") }
    #expect(error?.description == "unknown model \"lenet\"; did you mean lenet5? (known are mlp, lenet5)")
  }

  /// By hand: 28·28·6·25 + 10·10·16·150 + 400·120 + 120·84 + 84·10.
  @Test func costsOfLeNet5() throws {
    let stages = try ModelDescription.lenet5.layers.stages(for: [1, 28, 28])
    #expect(stages.reduce(0) { $0 + $1.multiplyAddCount } == 416_520)
    #expect(stages.map(\.parameterCount) == [156, 0, 0, 2416, 0, 0, 0, 48_120, 0, 10_164, 0, 850])
  }

  @Test func costsWithGroupsAndWithoutBias() throws {
    let list = try LayerList(parsing: "conv 8 3 pad same groups 2 no-bias, batchnorm, dense 5 no-bias")
    let stages = try list.stages(for: [4, 6, 6])
    #expect(stages.map(\.parameterCount) == [8 * 2 * 9, 16, 0, 8 * 36 * 5])
    #expect(stages.map(\.multiplyAddCount) == [8 * 36 * 18, 0, 0, 8 * 36 * 5])
  }
}
