import ApusTestSupport
import Testing

@testable import ApusData

struct JSONTests {
  /// The number of values is limited, since a value needs many times the memory of its characters.
  @Test func valuesAreCounted() {
    let text = "[" + String(repeating: "0,", count: JSON.maximumValueCount - 2) + "0]"
    #expect((try? JSON(parsing: Array(text.utf8))) != nil)
    let error = #expect(throws: JSONError.self) { try JSON(parsing: Array(("[" + text + "]").utf8)) }
    #expect(error?.reason == "more than the limit of 2097152 values")
  }

  private func parse(_ text: String) throws -> JSON { try JSON(parsing: Array(text.utf8)) }

  @Test func readsEveryKindOfValue() throws {
    let text = #" {"a":[1,-2.5e3,true,false,null],"b":{"c":"x\n\"\u00e9\ud83d\ude00"},"d":[],"e":{}} "#
    let value: JSON = [
      "a": [1, -2500.0, true, false, nil], "b": ["c": "x\n\"é😀"], "d": [], "e": [:],
    ]
    #expect(try parse(text) == value)
    #expect(try parse("{\"z\":1,\"a\":2}").object?.keys == ["z", "a"])
  }

  @Test func integersAreExact() throws {
    #expect(try parse("9223372036854775807") == .integer(.max))
    #expect(try parse("-9223372036854775808") == .integer(.min))
    #expect(try parse("9007199254740993") == .integer(9_007_199_254_740_993))
    #expect(try parse("1.0").integer == nil)
    #expect(try parse("1e2").integer == nil)
    #expect(throws: JSONError.self) { try parse("9223372036854775808") }
  }

  @Test(arguments: [
    "", " ", "{", "[", "\"", "[1,]", "{\"a\":1,}", "[,1]", "{\"a\" 1}", "{a:1}", "{'a':1}", "01", "-", "+1",
    ".5",
    "1.", "1e", "1e+", "0x1", "NaN", "Infinity", "-Infinity", "1e999", "tru", "truex", "nul", "[1] 2", "1 1",
    "{\"a\":1,\"a\":2}", "{\"a\":{\"b\":1,\"b\":1}}", "\"\u{1}\"", #""\x""#, #""\u12""#, #""\ud800""#,
    #""\ud800\u0041""#, #""\udc00""#, "[1}", "{\"a\":1]", "\u{feff}1", "[1 2]", "// c\n1", "\"a\nb\"",
  ])
  func refuses(text: String) {
    #expect(throws: JSONError.self) { try parse(text) }
  }

  @Test func refusesInvalidUTF8() {
    #expect(throws: JSONError.self) { try JSON(parsing: [0x22, 0xff, 0x22]) }
    #expect(throws: JSONError.self) { try JSON(parsing: [0x22, 0xc0, 0x80, 0x22]) }
    #expect(throws: JSONError.self) { try JSON(parsing: [0xff]) }
  }

  @Test func keysThatUnicodeCallsEquivalentAreDuplicates() {
    #expect(throws: JSONError.self) { try parse("{\"\u{e9}\":1,\"e\u{301}\":2}") }
  }

  @Test func depthIsLimited() throws {
    let nested = { String(repeating: "[", count: $0) + String(repeating: "]", count: $0) }
    _ = try parse(nested(32))
    let error = #expect(throws: JSONError.self) { try parse(nested(33)) }
    #expect(error == JSONError(offset: 32, reason: "nested deeper than 32 levels"))
    #expect(throws: JSONError.self) { try parse(String(repeating: "[", count: 1_000_000)) }
    #expect(throws: JSONError.self) { try parse(String(repeating: "{\"a\":", count: 100_000)) }
  }

  @Test func errorsSayWhere() {
    let error = #expect(throws: JSONError.self) { try parse("{\"a\":1,\"a\":2}") }
    #expect(error == JSONError(offset: 7, reason: "duplicate key \"a\""))
  }

  @Test func writesTheSameTextForTheSameValue() throws {
    let value: JSON = [
      "name": "a\"b\\c\n\u{1}é", "list": [1, 2], "none": [], "nested": ["x": nil, "y": [["z": true]]],
      "small": 1e-7, "third": .number(1.0 / 3), "nan": .number(.nan),
    ]
    #expect(
      value.text()
        == #"{"name":"a\"b\\c\n\u0001é","list":[1,2],"none":[],"nested":{"x":null,"y":[{"z":true}]},"#
        + #""small":1e-07,"third":0.3333333333333333,"nan":null}"#)
    #expect(
      (["a": [1, 2], "b": ["c": "d"], "e": [:]] as JSON).text(indented: true) == """
        {
          "a": [1,2],
          "b": {
            "c": "d"
          },
          "e": {}
        }
        """)
    #expect(JSON(Float(0.1)).text() == "0.1")
    var object = JSONObject()
    object["a"] = 1
    object["b"] = 2
    object["a"] = nil
    #expect(object.keys == ["b"])
  }

  @Test func whatIsWrittenReadsBack() throws {
    let doubles: [Double] = [0.1, 1e300, .leastNonzeroMagnitude, -0.0, 123456789.125, 1e16, 1e-5, .pi]
    for value in doubles {
      #expect(try parse(JSON.number(value).text()) == .number(value), "\(value)")
    }
  }

  @Test func noInputTraps() {
    let seeds = [
      #"{"a":[1,-2.5e3,true,false,null],"b":{"c":"x\n\"\u00e9\ud83d\ude00"},"d":[],"e":{}}"#,
      #"{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}"#, "[[[[1e-5,9223372036854775807]]]]",
    ].map { Array($0.utf8) }
    var accepted = 0
    for bytes in Mutations(of: seeds, count: 20_000) {
      guard let value = try? JSON(parsing: bytes) else { continue }
      accepted += 1
      #expect(try! JSON(parsing: Array(value.text().utf8)) == value)
    }
    #expect(accepted > 100 && accepted < 19_000)
  }
}
