import ApusNN
import ApusTensor
import ApusTestSupport
import Testing

@testable import ApusModels

struct LayerListTests {
  private let lenet = """
    conv 6 5x5 pad 2, relu, pool 2, conv 16 5x5, relu, pool 2, flatten, dense 120, relu, dense 84, relu, dense 10
    """

  @Test func lenet5() throws {
    let stages = try LayerList(parsing: lenet).stages(for: [1, 28, 28])
    #expect(
      stages.map(\.output) == [
        [6, 28, 28], [6, 28, 28], [6, 14, 14], [16, 10, 10], [16, 10, 10], [16, 5, 5], [400], [120], [120],
        [84], [84], [10],
      ])
    #expect(zip(stages, stages.dropFirst()).allSatisfy { $0.output == $1.input })
  }

  /// PyTorch's `nn.Conv2d(3, 8, (3, 5), stride=(2, 1), padding=(1, 0), dilation=(2, 1))` and `nn.MaxPool2d(3, 2, 1)`
  /// give these shapes.
  @Test func everyOption() throws {
    let text = "Conv 8 3x5 stride 2x1 pad 1x0 dilation 2x1 no-bias, pool 3 stride 2 pad 1, globalpool, dense 4"
    let list = try LayerList(parsing: text)
    #expect(
      list.layers[0]
        == .convolution(
          .init(
            filters: 8, kernel: .init(3, 5), stride: .init(2, 1), padding: .init(1, 0), dilation: .init(2, 1),
            groups: 1, hasBias: false)))
    let stages = try list.stages(for: [3, 21, 20])
    #expect(stages.map(\.output) == [[8, 10, 16], [8, 5, 8], [8], [4]])
  }

  @Test func aFlattenIsPutAheadOfDense() throws {
    let stages = try LayerList(parsing: "conv 6 5x5, pool 2, dense 84").stages(for: [1, 28, 28])
    #expect(stages.map(\.layer)[2] == .flatten)
    #expect(stages.map(\.output) == [[6, 24, 24], [6, 12, 12], [864], [84]])
    #expect(try LayerList(parsing: "dense 3, relu, dense 2").stages(for: [7]).map(\.output) == [[3], [3], [2]])
  }

  @Test(arguments: [
    "conv 6 5x5 pad 2", "conv 6 5x3 stride 2 pad same dilation 2 groups 3 no-bias", "pool 2", "pool 3 stride 2",
    "avgpool 2x3 stride 1 pad 1", "globalpool, batchnorm, dropout 0.5, flatten", "dense 10 no-bias",
    "relu, sigmoid, tanh, gelu, silu, elu, selu, softplus, leaky-relu",
    "residual (conv 8 3x3 pad 1, relu | conv 8 1x1), concat (relu), concat (pool 2 | conv 4 2x2 stride 2, residual (relu))",
  ])
  func textReadsBack(text: String) throws {
    let list = try LayerList(parsing: text)
    #expect(list.description == text)
    #expect(try LayerList(parsing: list.description) == list)
  }

  /// Texts that do not parse as a list of layers. The error names the position of the layer.
  @Test(arguments: [
    ("", 1, "a layer is missing"), ("relu,,relu", 2, "a layer is missing"), ("relu,", 2, "a layer is missing"),
    ("cnov 6 5x5", 1, "unknown layer \"cnov\"; did you mean conv?"), ("conv", 1, "the number of filters is missing"),
    ("conv 6", 1, "the kernel size is missing"), ("conv x 5", 1, "the number of filters, \"x\""),
    ("conv 0 5", 1, "is not an integer from 1"), ("conv 6 5x5x5", 1, "neither N nor HEIGHTxWIDTH"),
    ("conv 6 5xx5", 1, "neither N nor"), ("conv 6 x5", 1, "is not an integer"), ("conv 6 -5", 1, "is not an integer"),
    ("conv 6 5 pda 2", 1, "unexpected word \"pda\"; did you mean pad?"),
    ("conv 6 5 pad", 1, "the size of pad is missing"), ("conv 6 5 pad 1 pad 2", 1, "pad is given twice"),
    ("rows, lstm 8 bidirectional", 2, "unexpected word \"bidirectional\"; choose from layers, both, all, no-bias"),
    ("relu, pool 2 pad same", 2, "is not an integer"), ("relu 3", 1, "unexpected word \"3\""),
    ("dropout", 1, "the rate is missing"), ("dropout 1", 1, "not a number from 0 to below 1"),
    ("dropout nan", 1, "not a number"), ("dense 99999999999999999999", 1, "is not an integer"),
    ("dense 16777217", 1, "is not an integer from 1 to 16777216"),
    ("relu, residul (relu)", 2, "did you mean residual?"), ("concat", 1, "layers in parentheses are missing"),
    ("residual (relu", 1, "unbalanced parentheses"), ("residual (relu))", 1, "unbalanced parentheses"),
    ("residual (relu) (relu)", 1, "unbalanced parentheses"), ("residual ()", 1, "layer 1 (): a layer is missing"),
    ("relu, concat (relu | relu, cnov 3)", 2, "layer 2 (cnov 3): unknown layer"), ("relu | relu", 1, "only residual"),
    (")relu(", 1, "only residual and concat take"),
    (String(repeating: "residual (", count: 40) + "relu" + String(repeating: ")", count: 40), 1, "16 deep"),
  ])
  func grammar(text: String, position: Int, reason: String) {
    let error = #expect(throws: LayerListError.self) { try LayerList(parsing: text) }
    #expect(error?.kind == .grammar && error?.position == position)
    #expect(error?.reason.contains(reason) == true, "\(error!)")
  }

  /// Lists with a layer that does not fit its input. The error names the position of the layer.
  @Test(arguments: [
    ("relu, conv 6 29x5", 2, "needs a height of at least 29, but its input has 28"),
    ("conv 6 5x29", 1, "needs a width of at least 29"),
    ("conv 6 3 groups 2", 1, "2 groups must divide both 1 channels"),
    ("flatten, conv 6 3", 2, "needs images [channels, height, width], but its input is [784]"),
    ("dense 10, pool 2", 2, "needs images"),
    ("pool 2, pool 2, pool 2, pool 2, pool 2", 5, "needs a height of at least 2"),
    ("pool 2 pad 2", 1, "more than half of the window"), ("conv 6 4x4 pad same", 1, "pad same needs an odd kernel"),
    ("conv 6 3 stride 2 pad same", 1, "pad same needs"), ("dense 16777216, dense 16777216", 2, "is too large"),
    ("conv 16777216 28x28 pad 16777216", 1, "is too large"), ("conv 1 3 dilation 16777216", 1, "needs a height"),
  ])
  func fit(text: String, position: Int, reason: String) throws {
    let list = try LayerList(parsing: text)
    let error = #expect(throws: LayerListError.self) { try list.stages(for: [1, 28, 28]) }
    #expect(error?.kind == .fit && error?.position == position)
    #expect(error?.reason.contains(reason) == true, "\(error!)")
  }

  /// `residual` and `concat` are links: layers with branches. The `concat` here concatenates its input `x` and
  /// `x + relu(x)`. For `x = [1, −2]`, the result is `[1, −2, 2, −2]`.
  @Test func links() throws {
    let list = try LayerList(parsing: "concat (residual (relu)), residual (dense 3 | dense 3 no-bias)")
    let stages = try list.stages(for: [2])
    #expect(stages.map(\.output) == [[4], [3]])
    #expect(stages.map(\.parameterCount) == [0, 27] && stages.map(\.multiplyAddCount) == [0, 24])
    let model = try list.model(for: [2])
    #expect(model.state.entries.map(\.key) == ["1.0.0.weight", "1.0.0.bias", "1.1.0.weight"])
    try withMode(.inference) {
      let joined = try model.layers[0](Tensor([1, -2] as [Float], shape: [1, 2])).array(of: Float.self)
      #expect(joined == [1, -2, 2, -2])
      let x = Tensor([1, -2, 2, -2] as [Float], shape: [1, 4])
      let parts = model.state.entries.map(\.value)
      let expected = x.matmul(parts[0].transposed()) + parts[1] + x.matmul(parts[2].transposed())
      let (given, wanted) = (try model.layers[1](x).array(of: Float.self), try expected.array(of: Float.self))
      #expect(given == wanted)
    }
  }

  /// Random changes of valid lists may make them invalid, but must not stop the process.
  @Test func noTextTraps() {
    let linked = "residual (conv 2 3x3 pad 1, relu | conv 2 1x1), concat (relu | pool 3 stride 1 pad 1), dense 3"
    let seeds = [lenet, linked, "conv 8 3x5 stride 2x1 pad 1x0 dilation 2x1 groups 2 no-bias, dropout 0.5, dense 3"]
    var fitting = 0
    for bytes in Mutations(of: seeds.map { Array($0.utf8) }, count: 20_000) {
      guard let list = try? LayerList(parsing: String(decoding: bytes, as: UTF8.self)) else { continue }
      if (try? list.stages(for: [2, 28, 28])) != nil { fitting += 1 }
    }
    #expect(fitting > 100)
  }
}
