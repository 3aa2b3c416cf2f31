import ApusTestSupport
import Glibc
import Testing

@testable import ApusData

/// The members of a header entry for a tensor with one `float32` element.
private let field = #""dtype":"F32","shape":[1],"data_offsets":[0,4]"#

/// A file with a header and `data` zero bytes after it. The file declares `length` as the length of the header; `nil`
/// is the actual length.
private func file(_ header: String, data: Int = 0, length: UInt64? = nil) -> [UInt8] {
  let text = Array(header.utf8)
  let count = length ?? UInt64(text.count)
  return (0..<8).map { UInt8(truncatingIfNeeded: count >> (8 * $0)) } + text
    + [UInt8](repeating: 0, count: data)
}

struct SafetensorsTests {
  @Test func messagesShortenLongNamesAndEscapeControlCharacters() {
    let name = "\u{1B}[2J\u{202E}" + String(repeating: "n", count: 3_000_000)
    let headers = [
      "{\"\(name)\":{\(field)},\"\(name)\":{\(field)}}", "{\"\(name)\":{\"dtype\":\"\(name)\"}}", "{\"\(name)\":{}}",
      "{\"\(name)\" 1}",
    ].map { $0.replacing("\u{1B}", with: "\\u001b") }
    for header in headers {
      let error = #expect(throws: DataError.self) {
        try Safetensors.header(of: file(header, data: 4), path: "a\u{9B}b")
      }
      let text = error?.description ?? ""
      #expect(
        text.utf8.count < 1000 && text.contains("\\u{1B}[2J\\u{202E}nnn") && text.hasPrefix("a\\u{9B}b: "), "\(text)")
    }
    let axes =
      "{\"a\":{\"dtype\":\"F32\",\"shape\":[\(String(repeating: "1,", count: 1 << 20))1],\"data_offsets\":[0,4]}}"
    let error = #expect(throws: DataError.self) { try Safetensors.header(of: file(axes, data: 4)) }
    #expect(error?.description.contains("1048577 axes, more than the limit of 64") == true)
  }

  @Test func aLargeHeaderIsNotRead() throws {
    let scratch = try ScratchDirectory()
    let path = try scratch.write(file("{", length: 9 << 20), to: "a.safetensors")
    #expect(truncate(path, 1 << 40) == 0)
    let error = #expect(throws: DataError.self) { try Safetensors.File(path: path) }
    #expect(error?.description.contains("a header of 9437184 bytes exceeds the limit of 8388608") == true)
  }

  /// Each argument is a name, a file, and whether the specification allows the file. Version 0.8.0 of the safetensors
  /// library also accepts leading spaces and duplicate names.
  @Test(arguments: [
    ("ok", file("{\"a\":{\(field)}}", data: 4), true),
    ("no tensor", file("{}"), true),
    ("trailing pad", file("{\"a\":{\(field)}}    ", data: 4), true),
    ("leading space", file("  {\"a\":{\(field)}}", data: 4), false),
    (
      "duplicate name",
      file("{\"a\":{\(field)},\"a\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[0,4]}}", data: 4), false
    ),
    ("duplicate field", file("{\"a\":{\"dtype\":\"U8\",\(field)}}", data: 4), false),
    (
      "duplicate metadata",
      file("{\"__metadata__\":{\"x\":\"1\"},\"__metadata__\":{\"x\":\"2\"},\"a\":{\(field)}}", data: 4), false
    ),
    ("unknown field", file("{\"a\":{\(field),\"zz\":1}}", data: 4), true),
    (
      "hole",
      file("{\"a\":{\(field)},\"b\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[8,12]}}", data: 12),
      false
    ),
    ("overlap", file("{\"a\":{\(field)},\"b\":{\(field)}}", data: 4), false),
    ("trailing data", file("{\"a\":{\(field)}}", data: 8), false),
    ("short data", file("{\"a\":{\(field)}}", data: 3), false),
    ("wrong size", file(#"{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}}"#, data: 4), false),
    (
      "overflow",
      file(
        #"{"a":{"dtype":"F32","shape":[4294967296,4294967296,4294967296],"data_offsets":[0,4]}}"#, data: 4),
      false
    ),
    ("negative extent", file(#"{"a":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}}"#, data: 4), false),
    ("float extent", file(#"{"a":{"dtype":"F32","shape":[1.0],"data_offsets":[0,4]}}"#, data: 4), false),
    ("unknown dtype", file(#"{"a":{"dtype":"Q9","shape":[1],"data_offsets":[0,4]}}"#, data: 4), false),
    ("begin above end", file(#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[4,0]}}"#, data: 4), false),
    ("metadata not a string", file("{\"__metadata__\":{\"x\":1},\"a\":{\(field)}}", data: 4), false),
    ("not UTF-8", [5, 0, 0, 0, 0, 0, 0, 0, 0x7b, 0x22, 0xff, 0x22, 0x7d], false),
    ("half of JSON", file("{\"a\":"), false),
    ("array", file("[]"), false),
    ("header above the limit", file("{}", length: 100_000_001), false),
    ("header above the file", file("{}", length: 50), false),
    ("header of 2⁶⁴ − 1", file("{}", length: .max), false),
    ("header of nothing", file(""), false),
    ("shorter than 8", [2, 0, 0], false),
    ("zero size", file(#"{"a":{"dtype":"F32","shape":[0,3],"data_offsets":[0,0]}}"#), true),
    (
      "zero size at a shared offset",
      file("{\"z\":{\"dtype\":\"F32\",\"shape\":[0],\"data_offsets\":[0,0]},\"a\":{\(field)}}", data: 4), true
    ),
    ("scalar", file(#"{"a":{"dtype":"F32","shape":[],"data_offsets":[0,4]}}"#, data: 4), true),
    ("deep JSON", file("{\"a\":" + String(repeating: "[", count: 100_000)), false),
    ("name with dots", file("{\"../../x\":{\(field)}}", data: 4), true),
    ("half a byte", file(#"{"a":{"dtype":"F4","shape":[1],"data_offsets":[0,1]}}"#, data: 1), false),
  ])
  func verdict(name: String, bytes: [UInt8], isValid: Bool) throws {
    let scratch = try ScratchDirectory()
    let path = try scratch.write(bytes, to: "case.safetensors")
    #expect(((try? Safetensors.header(of: bytes)) != nil) == isValid, "\(name), in memory")
    #expect(((try? Safetensors.File(path: path)) != nil) == isValid, "\(name), from a file")
  }

  private let tensors = [
    Safetensors.StoredTensor(name: "b", type: .float32, shape: [2], bytes: [0, 0, 128, 63, 0, 0, 0, 64]),
    Safetensors.StoredTensor(name: "a", type: .float32, shape: [], bytes: [0, 0, 0, 0]),
    Safetensors.StoredTensor(name: "flags", type: .bool, shape: [3], bytes: [1, 0, 1]),
    Safetensors.StoredTensor(name: "wide", type: .int64, shape: [1, 0], bytes: []),
    Safetensors.StoredTensor(name: "n", type: .int64, shape: [1], bytes: [7, 0, 0, 0, 0, 0, 0, 0]),
  ]

  @Test func whatIsWrittenReadsBack() throws {
    let scratch = try ScratchDirectory()
    let path = scratch.file("x.safetensors")
    let digest = try Safetensors.write(tensors, metadata: ["format": "pt", "a": "b"], to: path)
    let file = try Safetensors.File(path: path)
    #expect(file.header.metadata == ["format": "pt", "a": "b"])
    #expect(file.header.entries.map(\.name) == ["n", "wide", "a", "b", "flags"])
    for tensor in tensors {
      let entry = try #require(file.header[tensor.name])
      #expect(entry.type == tensor.type && entry.shape == tensor.shape)
      #expect(try file.bytes(of: entry) == tensor.bytes)
    }
    #expect(digest.count == 64)
    #expect(
      try Safetensors.write(tensors.reversed(), metadata: ["a": "b", "format": "pt"], to: path) == digest)
  }

  /// `encode` returns the bytes that `safetensors.numpy.save` 0.8.0 writes for the same three arrays.
  @Test func bytesEqualTheSafetensorsLibrary() {
    let header =
      #"{"n":{"dtype":"I64","shape":[1],"data_offsets":[0,8]},"#
      + #""b":{"dtype":"F32","shape":[2],"data_offsets":[8,16]},"#
      + #""flags":{"dtype":"BOOL","shape":[3],"data_offsets":[16,19]}}"#
    let chosen = [tensors[0], tensors[2], tensors[4]]
    #expect(
      Safetensors.encode(chosen) == file(header) + tensors[4].bytes + tensors[0].bytes + tensors[2].bytes)
  }

  @Test func writingToAMissingFolderOrToAFolderThrows() throws {
    let scratch = try ScratchDirectory()
    #expect(throws: DataError.self) {
      try Safetensors.write(tensors, to: scratch.file("no/such/directory"))
    }
    #expect(throws: DataError.self) { try Safetensors.write(tensors, to: scratch.path) }
  }

  @Test func errorsNameFileAndTensor() throws {
    let scratch = try ScratchDirectory()
    let path = try scratch.write(
      file(#"{"fc.weight":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}}"#, data: 4), to: "x")
    let error = #expect(throws: DataError.self) { try Safetensors.File(path: path) }
    #expect(error?.description.hasPrefix("\(path): not a valid safetensors file in \"fc.weight\"") == true)
  }

  /// Parses files with random changes. No file may trap, and the tensors of an accepted header must lie in the file.
  @Test func noInputTraps() {
    let seeds = [
      Safetensors.encode(tensors), Safetensors.encode(tensors, metadata: ["k": "v"]),
      file("{\"a\":{\(field)}}", data: 4),
    ]
    var accepted = 0
    for bytes in Mutations(of: seeds, count: 20_000) {
      guard let (header, offset) = try? Safetensors.header(of: bytes) else { continue }
      accepted += 1
      for entry in header.entries { #expect(offset + entry.range.upperBound <= bytes.count) }
    }
    #expect(accepted > 100 && accepted < 19_000)
  }
}
