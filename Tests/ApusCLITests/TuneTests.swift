import Foundation
import Testing

@Suite struct TuneTests {
  /// `apus tune` stores its choices in the cache folder, and `--forget` deletes them.
  @Test func choicesAreKept() throws {
    let folder = FileManager.default.temporaryDirectory.appending(path: "apus-tune-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    func tune(_ words: String...) throws -> Invocation {
      try Invocation(["tune", "--device", "opencl"] + words, environment: ["XDG_CACHE_HOME": folder.path])
    }
    let result = try tune("4x70x36", "--json")
    #expect(result.status == 0 && result.errors.isEmpty, "\(result.errors)")
    let lines = try result.lines.map {
      try #require(try JSONSerialization.jsonObject(with: Data($0.utf8)) as? [String: Any])
    }
    #expect(lines.count == 4)
    for line in lines.dropLast() {
      let candidates = try #require(line["candidates"] as? [[String: Any]])
      let chosen = try #require(line["chosen"] as? String)
      #expect(candidates.count > 1 && candidates[0]["name"] as? String == line["default"] as? String)
      let times = candidates.compactMapValue("milliseconds")
      // Another kernel replaces the default only if it saves at least a twentieth of the time. The printed times are
      // rounded.
      let usual = try #require(candidates[0]["name"] as? String)
      #expect(times.count == candidates.count && (chosen == usual || times[chosen]! < 0.951 * times[usual]!))
    }
    let last = try #require(lines.last)
    #expect(last["device"] as? String == "opencl:0" && last["problems"] as? Int == 3 && last["left_out"] as? Int == 0)
    // The choice is stored even if it is the default kernel.
    func stored() throws -> Int {
      try FileManager.default.contentsOfDirectory(at: folder.appending(path: "apus"), includingPropertiesForKeys: nil)
        .count { try Data(contentsOf: $0).range(of: Data("matmul float32 NT b0 m2 n7 k6 = ".utf8)) != nil }
    }
    #expect(try stored() == 1)
    let forgotten = try tune("--forget")
    #expect(forgotten.status == 0 && forgotten.output.isEmpty, "\(forgotten.errors)")
    #expect(try stored() == 0)
  }

  @Test(arguments: [
    (["tune", "2x2", "--device", "opencl"], 64, "\"2x2\" is not a matrix product MxNxK"),
    (["tune", "Nine"], 64, "\"Nine\" is not a convolution"),
    (["tune", "lenet5-b128-sdg"], 64, "unknown workload \"lenet5-b128-sdg\"; did you mean lenet5-b128-sgd?"),
    (["tune", "--forget", "8x8x8"], 64, "--forget deletes all choices and takes no workloads"),
    (["tune", "8x8x8", "--device", "cpu"], 69, "kernel tuning"),
    (["tune", "--forget", "--device", "cpu"], 69, "kernel tuning"),
  ])
  func mistakes(words: [String], status: Int32, message: String) throws {
    let result = try Invocation(words)
    #expect(result.status == status && result.errors.contains(message), "\(result.status): \(result.errors)")
  }
}

extension [[String: Any]] {
  /// The values of a key, by the names of their candidates.
  fileprivate func compactMapValue(_ key: String) -> [String: Double] {
    Dictionary(
      uniqueKeysWithValues: compactMap { item in
        (item[key] as? Double).map { (item["name"] as! String, $0) }
      })
  }
}
