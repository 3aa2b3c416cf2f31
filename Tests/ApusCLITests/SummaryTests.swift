import Testing

struct SummaryTests {
  /// The figures of LeNet-5: 61,706 parameters, 416,520 multiply-accumulates.
  @Test func lenet5() throws {
    let text = try Invocation("summary", "lenet5")
    #expect(text.status == 0 && text.output.contains("61,706 parameters"), "\(text.errors)")
    let json = try Invocation("summary", "lenet5", "--json")
    #expect(json.lines.count == 13)
    #expect(try json.member("parameters") == 61_706 && json.member("macs") == 416_520)
    #expect(try json.member("input") == [1, 28, 28] && json.member("output") == [10])
    #expect(try json.member("activation_bytes") == 58_408)
  }

  @Test func chainsAndMistakes() throws {
    let chain = try Invocation("summary", "--layers", "conv 8 3x3 stride 2, relu, globalpool, dense 3", "--json")
    #expect(try chain.member("output") == [3] && chain.member("parameters") == 8 * 9 + 8 + 8 * 3 + 3)
    let bad = try Invocation("summary", "--layers", "dense 8, conv 3 3x3")
    #expect(bad.status == 65 && bad.errors.contains("layer 2 (conv 3 3x3): needs images"), "\(bad.errors)")
    #expect(try Invocation("summary", "lenet").status == 64)
    #expect(try Invocation("summary", "/nowhere.safetensors").status == 74)
  }
}
