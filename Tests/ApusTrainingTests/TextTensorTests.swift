import Apus
import Testing

struct TextTensorTests {
  @Test func windowsLookOneTokenAhead() throws {
    #expect(TokenWindows([1, 2, 3], length: 3) == nil && TokenWindows([], length: 1) == nil)
    #expect(TokenWindows([1, 2, 3], length: 0) == nil)
    let windows = try #require(TokenWindows([1, 2, 3, 4, 5, 6, 7, 8], length: 3))
    #expect(windows.count == 2 && windows.length == 3)
    let batch = windows.batch([1, 0])
    #expect(try batch.inputs.array(of: Int32.self) == [4, 5, 6, 1, 2, 3])
    #expect(try batch.targets.array(of: Int32.self) == [5, 6, 7, 2, 3, 4])
  }

  @Test func textsAreTruncatedAndPadded() throws {
    let texts = LabelledTexts(texts: ["abc", "", "a"], labels: [2, 1, 0])
    let loaded = try TokenizedTexts(texts, tokenizer: CharacterTokenizer(characters: ["a", "b", "c"]), length: 2)
    let batch = loaded.batch([0, 1, 2])
    #expect(try batch.tokens.array(of: Int32.self) == [2, 3, ReservedToken.unknown, 0, 2, 0])
    #expect(try batch.labels.array(of: Int32.self) == [2, 1, 0])
  }
}
