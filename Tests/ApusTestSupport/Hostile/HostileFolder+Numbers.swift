import Apus
import Foundation

extension HostileFolder {
  /// Numbers out of range and values of other types. Code that does not check them would trap.
  private static let values: [JSON] = [
    .number(1e19), .number(-1e19), .integer(-1), .integer(.min), .integer(.max), .integer(.max - 1), .number(1e308),
    .number(-1e308), .number(0.5), .null, "7", [], [:], true,
  ]

  /// Edits the JSON object in a file. If the object has a member `sha256`, the member is computed again.
  private static func editing(
    _ file: String, _ description: String, _ refusals: Set<Use>,
    _ edit: @escaping @Sendable (inout JSONObject) -> Void
  ) -> HostileFolder {
    HostileFolder(description: "\(file): \(description)", refusals: refusals) { run, _ in
      let url = run.appending(path: file)
      var members = try JSON(path: url.path).object ?? [:]
      edit(&members)
      if members["sha256"] != nil {
        members["sha256"] = nil
        members["sha256"] = .string(Checkpoint.digest(of: members))
      }
      try Data(JSON.object(members).text(indented: true).utf8).write(to: url)
    }
  }

  /// File names that lead out of the checkpoint or to other files in it, in a `state.json` with a valid digest.
  static func names(_ layout: RunLayout) -> [HostileFolder] {
    let names = [
      "../../../victim", "/etc/hostname", "..", ".", "", "a/b", "./weights.safetensors", "weights.safetensors\u{0}",
      "state.json", "../\(layout.checkpoint)/weights.safetensors", "weights.safetensors/", "optimizer", "\n",
    ]
    return names.flatMap { name in
      ["weights.safetensors", "optimizer.safetensors", nil].map { replaced in
        let what = replaced.map { "in place of \($0)" } ?? "added"
        return editing(layout.state, "digest of \(name.debugDescription) \(what)", [.resuming, .evaluating]) {
          members in
          var files = members["files"]?.object ?? [:]
          let digest = files["weights.safetensors"]
          if let replaced { files[replaced] = nil }
          files[name] = digest
          members["files"] = .object(files)
        }
      }
    }
  }

  /// Digests that are missing or invalid.
  static func digests(_ layout: RunLayout) -> [HostileFolder] {
    let uses: Set<Use> = [.resuming, .evaluating]
    let values: [JSON?] = [nil, .null, "", "0", 0, [], [:], true, .string(String(repeating: "0", count: 64))]
    let own = values.map { value in
      HostileFolder(description: "sha256 is \(value?.text() ?? "missing")", refusals: uses) { run, _ in
        let url = run.appending(path: layout.state)
        var members = try JSON(path: url.path).object ?? [:]
        members["sha256"] = value
        try Data(JSON.object(members).text().utf8).write(to: url)
      }
    }
    let files = values.flatMap { value in
      ["weights.safetensors", "optimizer.safetensors", nil].map { name in
        editing(layout.state, "files.\(name ?? "") is \(value?.text() ?? "missing")", uses) { members in
          guard let name else { return members["files"] = value }
          var files = members["files"]?.object ?? [:]
          files[name] = value
          members["files"] = .object(files)
        }
      }
    }
    return own + files
  }

  /// Numbers out of range and values of other types, in a `state.json` with a valid digest.
  static func numbers(_ layout: RunLayout) -> [HostileFolder] {
    // Resuming and evaluating have to refuse the values of `strict`; no command has to refuse the values of `free`.
    let strict = [
      ["step"], ["example_count"], ["batch_size"], ["epoch_loss", "count"], ["window_loss", "count"],
      ["metrics_byte_count"],
    ]
    let free = [
      ["seed"], ["random_key", "seed"], ["random_key", "counter"], ["epoch_loss", "sum"], ["window_loss", "sum"],
      ["seconds"], ["train_loss"], ["test_accuracy"], ["schedule_memory"], ["format"], ["optimizer"], ["random_key"],
      ["last_step"], ["last_step", "step"], ["observer_memory"],
    ]
    let known = (strict.map { ($0, true) } + free.map { ($0, false) }).flatMap { path, isStrict in
      values.map { value in
        editing(
          layout.state, "\(path.joined(separator: ".")) is \(value.text())", isStrict ? [.resuming, .evaluating] : []
        ) { $0.set(path[...], value) }
      }
    }
    let memories: [JSON] = [
      [1, .number(1e19), 0, 1], [1, 0, .number(-1e19), 1], [.number(1e308), 0, 0, .number(-1e308)],
      [1, .integer(.max), .integer(.max), 1], [1, .number(0.5), 0, 1], [1, 0, 0], ["a", 0, 0, 1],
      .array(.init(repeating: 1, count: 100_000)),
    ]
    return known
      + memories.map { memory in
        editing(layout.state, "schedule_memory is \(memory.text().prefix(60))", [.resuming]) {
          $0["schedule_memory"] = memory
        }
      }
  }

  /// Each setting with each of `values`, in the configuration of a run or in its checkpoint.
  static func settings(_ layout: RunLayout) -> [HostileFolder] {
    let keys = [
      "epochs", "steps", "batch_size", "learning_rate", "seed", "classes", "image_size", "save_every", "train_count",
      "validation", "layers", "transform", "data", "early_stop", "keep",
    ]
    return keys.flatMap { key in
      values.flatMap { value -> [HostileFolder] in
        // No command has to refuse these values, since some of them are valid: null counts as not set, and a seed may
        // be any integer.
        [
          editing("config.json", "\(key) is \(value.text())", []) { $0[key] = value },
          editing(layout.state, "settings.\(key) is \(value.text())", []) {
            $0.set(["configuration", "settings", key], value)
          },
        ]
      }
    }
  }

  /// Checkpoints that describe their data in an invalid way: image sizes, table columns and tokenizers.
  static func formats(_ layout: RunLayout) -> [HostileFolder] {
    let uses: Set<Use> = [.resuming, .evaluating]
    let sizes: [JSON] = [
      [.integer(.max), .integer(.max), .integer(.max)], [1, .integer(.max), 2], [3, .number(1e19), 1],
      [.integer(1 << 32), .integer(1 << 32), 1], [0, 1, 1], [-1, -1, 1], [1, 1], [], [1, 1, 1, 1], [1, 65536, 65536],
    ]
    let images = sizes.map { size in
      editing(layout.state, "images.size is \(size.text())", uses) {
        $0.set(["configuration", "table"], nil)
        $0.set(
          ["configuration", "images"],
          ["size": size, "classes": ["a", "b"], "mean": [0], "standard_deviation": [1]])
      }
    }
    let scales: [JSON] = [0, -1, .number(1e19), .null, "1"]
    let columns: [JSON] =
      scales.map { [["name": "x", "kind": "numeric", "fill": 0, "offset": 0, "scale": $0, "indicates_missing": true]] }
      + [
        [["name": "x", "kind": "categorical", "one_hot": ["a", "a"]]],
        [["name": "x", "kind": "categorical", "one_hot": ["a", 1]]],
        [["name": "x", "kind": "categorical", "codes": []]], [["name": "x", "kind": "numeric"]], [], "x",
      ]
    let tables = columns.map { list in
      editing(layout.state, "table.columns is \(list.text())", uses) {
        $0.set(["configuration", "table", "columns"], list)
      }
    }
    let tokenizers: [JSON] = [
      ["kind": "bpe", "content": [[0, 0]]], ["kind": "bpe", "content": [[1, .integer(.max)]]],
      ["kind": "bpe", "content": .array((0..<64).map { [.integer(256 + max($0, 1)), .integer(256 + max($0, 1))] })],
      ["kind": "bpe", "content": [[1, "x", 2]]], ["kind": "character", "content": [97, 97]],
      ["kind": "character", "content": [.integer(.max)]], ["kind": "character", "content": [55296]],
      ["kind": "word", "content": ["lowercase": true, "words": []]],
      ["kind": "wordpiece", "content": ["lowercase": true, "pieces": ["a", "a"]]], ["kind": "none", "content": []],
    ]
    let texts = tokenizers.map { tokenizer in
      editing(layout.state, "text.tokenizer is \(tokenizer.text().prefix(80))", uses) {
        $0.set(["configuration", "settings"], ["model": "char-lstm"])
        $0.set(["configuration", "table"], nil)
        $0.set(["configuration", "text"], ["tokenizer": tokenizer])
      }
    }
    return images + tables + texts
  }
}

extension JSONObject {
  /// Sets the member at a path of keys.
  fileprivate mutating func set(_ path: ArraySlice<String>, _ value: JSON?) {
    guard let key = path.first else { return }
    guard path.count > 1 else { return self[key] = value }
    var inner = self[key]?.object ?? [:]
    inner.set(path.dropFirst(), value)
    self[key] = .object(inner)
  }
}
