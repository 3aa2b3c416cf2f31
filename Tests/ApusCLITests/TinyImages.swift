import ApusTestSupport
import Foundation

/// A small data set of 28x28 images in ten classes. The class is the position of a bright row.
struct TinyImages {
  let directory: ScratchDirectory

  /// The value of `--data`.
  var source: String { "mnist:\(directory.path)" }
  var testImages: String { directory.file("t10k-images-idx3-ubyte") }

  init(trainCount: Int = 96, testCount: Int = 40) throws {
    directory = try ScratchDirectory()
    for (prefix, count) in [("train", trainCount), ("t10k", testCount)] {
      _ = try directory.write(Self.images(count), to: "\(prefix)-images-idx3-ubyte")
      _ = try directory.write(Self.labels(count), to: "\(prefix)-labels-idx1-ubyte")
    }
  }

  static func images(_ count: Int) -> [UInt8] {
    var bytes: [UInt8] = [0, 0, 8, 3] + word(count) + word(28) + word(28)
    for image in 0..<count {
      for place in 0..<784 {
        let noise = UInt8((image * 31 + place * 17) % 64)
        bytes.append(place / 28 == 2 * (image % 10) + 4 ? 190 + noise : noise)
      }
    }
    return bytes
  }

  static func labels(_ count: Int) -> [UInt8] {
    [0, 0, 8, 1] + word(count) + (0..<count).map { UInt8($0 % 10) }
  }

  private static func word(_ value: Int) -> [UInt8] {
    [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: value >> $0) }
  }
}

extension Invocation {
  /// The JSON object in the last line of the output.
  func summary() throws -> [String: Any] {
    let line = lines.last.map(String.init) ?? ""
    return try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any] ?? [:]
  }

  /// The value of one key of the summary.
  func member<Value>(_ key: String, as type: Value.Type = Value.self) throws -> Value? {
    try summary()[key] as? Value
  }
}
