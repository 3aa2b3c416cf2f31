import Foundation

extension HostileFolder {
  private static func writing(
    _ file: String, _ description: String, _ refusals: Set<Use>, _ bytes: @escaping @Sendable ([UInt8]) -> [UInt8]
  ) -> HostileFolder {
    HostileFolder(description: "\(file): \(description)", refusals: refusals) { run, _ in
      let url = run.appending(path: file)
      try Data(bytes(Array(Data(contentsOf: url)))).write(to: url)
    }
  }

  /// Records of metrics that no run writes.
  static func metrics(_ layout: RunLayout) -> [HostileFolder] {
    let records = [
      #"{"step":1e19,"epoch":1e19,"train_loss":1,"seconds":1e300}"#, #"{"step":-1e19,"epoch":-1e19,"test_loss":1}"#,
      #"{"step":9223372036854775807,"epoch":9223372036854775807,"train_loss":1e308,"seconds":-1e308}"#,
      #"{"step":-9223372036854775808,"epoch":-9223372036854775808,"train_loss":-1e308}"#,
      #"{"step":1e308,"epoch":1e308,"loss":1e-320,"train_loss":1e308,"learning_rate":-1e308}"#,
      #"{"step":0.5,"epoch":0.5,"train_loss":1e99,"examples_per_second":1e308,"skipped_steps":1e19}"#,
      #"{"step":1,"epoch":1,"train_loss":1,"train_accuracy":1e19,"test_accuracy":-1e19}"#,
      #"{"step":null,"epoch":[],"train_loss":{}}"#, #"{"train_../../../x":1,"epoch":1,"train_loss":2}"#,
      #"{"epoch":1,"train_loss":2,"train_/etc/x":3,"a/b":4,"..":5,"":6}"#,
    ]
    let known = records.map { record in
      writing("metrics.jsonl", record, []) { _ in Array((record + "\n" + record + "\n").utf8) }
    }
    let broken = ["[1]", "1", "{", "\u{0}", "{\"a\":1e999}", "{\"a\":99999999999999999999}", "{\"a\":1,\"a\":1}"]
    return known
      + broken.map { line in
        writing("metrics.jsonl", line.debugDescription, [.plotting]) { _ in Array((line + "\n").utf8) }
      }
  }

  /// Truncated files, files with other content, and files with damaged bytes.
  static func damages(_ layout: RunLayout) -> [HostileFolder] {
    let files = layout.files.filter { ![".lock", "report.html", "plots/loss.svg"].contains($0.path) }
    let cut = files.flatMap { file, _ in
      [0.0, 0.01, 0.5, 0.99].map { share in
        writing(file, "cut off at \(share)", []) { Array($0.prefix(Int(Double($0.count) * share))) }
      }
    }
    let nested = String(repeating: "[", count: 100_000)
    let odd = files.flatMap { file, _ in
      [("nested", nested), ("no UTF-8", "\u{0}\u{1}"), ("other JSON", "[1,2,3]"), ("empty object", "{}")].map {
        name, text in
        writing(file, name, []) { _ in Array(text.utf8) }
      }
    }
    let damaged = files.flatMap { file, _ in
      (0..<20).map { seed in
        writing(file, "damage \(seed)", []) { bytes in
          let mutations = Mutations(of: [bytes], count: seed + 1).makeIterator()
          var last = bytes
          while let next = mutations.next() { last = next }
          return last
        }
      }
    }
    return cut + odd + damaged
  }
}
