import ApusTestSupport
import Foundation
import Testing

struct CommandLineTests {
  @Test func versionAndHelpGoToStandardOutput() throws {
    let version = try Invocation("--version")
    #expect(version.status == 0 && version.output.hasPrefix("apus ") && version.errors.isEmpty)
    for arguments in [["--help"], ["-h"], ["help"]] {
      let help = try Invocation(arguments)
      #expect(help.status == 0 && help.output.contains("usage: apus COMMAND") && help.errors.isEmpty)
    }
  }

  /// The names in the overview, without the lines in which the description of a command continues.
  private func commandNames() throws -> [Substring] {
    try Invocation("--help").lines.filter { $0.hasPrefix("  ") && !$0.hasPrefix("   ") }
      .compactMap { $0.split(separator: " ").first }
  }

  /// Every command in the overview has a help page: `apus NAME --help` and `apus help NAME`.
  @Test func everyCommandHasAPage() throws {
    let names = try commandNames()
    #expect(names.contains("datasets") && names.contains("completions"))
    for name in names {
      let page = try Invocation(String(name), "--help")
      #expect(page.status == 0 && page.errors.isEmpty)
      #expect(page.output.contains("usage: apus \(name)") && page.output.contains("--help"))
      #expect(try Invocation("help", String(name)).output == page.output)
    }
  }

  /// Help has lines of at most 80 columns, also where a wrapped text continues.
  @Test func helpFitsIn80Columns() throws {
    for words in [["--help"]] + (try commandNames().map { ["help", String($0)] }) {
      let help = try Invocation(words)
      #expect(help.status == 0, "\(words)")
      for line in help.lines { #expect(line.count <= 80, "\(words): \(line)") }
    }
    let train = try Invocation("help", "train").output
    #expect(
      train.contains("  --layers SPEC               a chain of layers instead of the model's, for\n")
        && train.contains("\n                              example \"dense 64, relu, dense 10\"\n"), "\(train)")
    #expect(train.contains("      move by up to a fraction S of height and width\n  rotate D [fill V]\n"))
    // Lines that contain commands to copy are not joined.
    #expect(try Invocation("help", "completions").output.contains("/completions\n       apus completions bash > ~/"))
  }

  @Test(arguments: [
    ([], "a command is missing"),
    (["dataset"], "unknown command \"dataset\"; did you mean datasets?"),
    (["help", "dataset"], "unknown command \"dataset\"; did you mean datasets?"),
    (["--versoin"], "unknown option --versoin; did you mean --version?"),
    (["datasets", "--jsno"], "unknown option --jsno; did you mean --json?"),
    (["train", "mlp", "--lr", "0.1"], "unknown option --lr; did you mean --learning-rate?"),
    (["train", "mlp", "--wd=0.1"], "unknown option --wd; did you mean --weight-decay?"),
    (["train", "mlp", "--batch", "8"], "unknown option --batch; did you mean --batch-size?"),
    (["train", "mlp", "--zz", "8"], "unknown option --zz\n"),
    (["datasets", "--json=1"], "--json takes no value"),
    (["datasets", "--json", "--json"], "--json is given twice"),
    (["datasets", "more"], "unexpected argument \"more\""),
    (["completions"], "SHELL is missing"),
    (["completions", "zhs"], "unknown SHELL \"zhs\"; did you mean zsh?"),
    (["completions", "--", "--json"], "unknown SHELL \"--json\""),
    (["bench", "gem"], "unknown KIND \"gem\"; did you mean gemm?"),
    (["bench", "gemm", "--problem", "2x2"], "\"2x2\" is not a matrix product MxNxK"),
    (["bench", "conv", "--transpose", "NT"], "--transpose T is not for conv"),
    (["bench", "gemm", "--profile", "p.json"], "--profile FILE is not for gemm"),
    (["bench", "step", "--profile", "p.json"], "--profile is for one workload"),
    (["bench", "ops", "--problem", "expp"], "unknown operation \"expp\"; did you mean exp?"),
    (["bench", "step", "lenet5-b128-sdg"], "unknown workload \"lenet5-b128-sdg\"; did you mean lenet5-b128-sgd?"),
    (["bench", "gemm", "--device", "gpu"], "unknown --device \"gpu\""),
  ])
  func usageErrors(arguments: [String], message: String) throws {
    let result = try Invocation(arguments)
    #expect(result.status == 64)
    #expect(result.output.isEmpty)
    #expect(result.errors.contains(message) && result.errors.contains("see: apus"), "\(result.errors)")
  }

  @Test func resultsThatCannotBeWrittenAreAnError() throws {
    let result = try Invocation("datasets", output: "/dev/full")
    #expect(result.status == 74)
    #expect(result.errors.contains("standard output: cannot write: No space left on device"))
  }
}

struct ListingTests {
  private func objects(_ arguments: String...) throws -> [[String: Any]] {
    try Invocation(arguments).lines.map {
      try #require(JSONSerialization.jsonObject(with: Data($0.utf8)) as? [String: Any])
    }
  }

  /// The parameter counts equal PyTorch's for the same layers.
  @Test func modelsAsTextAndAsJSON() throws {
    let models = try objects("models", "--json")
    let counts = Dictionary(
      uniqueKeysWithValues: models.map { ($0["name"] as? String ?? "", $0["parameters"] as? Int ?? 0) })
    // Published counts; ImageNet models have 1,000 classes.
    let known = [
      "mlp": 235_146, "lenet5": 61_706, "rnn": 21_514, "lstm": 82_186, "gru": 61_962, "alexnet": 61_100_840,
      "alexnet-2012": 60_965_224, "vgg11": 132_863_336, "vgg16": 138_357_544, "vgg19-bn": 143_678_248,
      "resnet18": 11_689_512, "resnet34": 21_797_672, "resnet50": 25_557_032, "densenet121": 7_978_856,
      "vit-b-16": 86_567_656, "airbench94": 1_971_640,
    ]
    for (name, count) in known { #expect(counts[name] == count, "\(name)") }
    for model in models {
      let isOfImages = model["input_size"] != nil
      #expect(isOfImages || model["tokenizer"] is String && model["sequence_length"] is Int)
    }
    let text = try Invocation("models")
    #expect(text.status == 0 && text.lines.contains { $0.hasPrefix("lenet5") && $0.contains("61,706") })
  }

  /// Unavailable devices are listed with the reason; the command fails only if no device is available.
  @Test func devicesAsTextAndAsJSON() throws {
    let devices = try objects("devices", "--json")
    #expect(!devices.isEmpty)
    for device in devices {
      let isAvailable = try #require(device["available"] as? Bool)
      #expect(isAvailable ? device["memory_bytes"] is Int : device["reason"] is String)
    }
    let text = try Invocation("devices")
    let isAnyAvailable = devices.contains { $0["available"] as? Bool == true }
    #expect(text.status == (isAnyAvailable ? 0 : 69))
    #expect(text.output.hasPrefix("DEVICE"))
  }

  @Test func datasetsAsTextAndAsJSON() throws {
    let datasets = try objects("datasets", "--json")
    #expect(
      datasets.map { $0["source"] as? String } == [
        "fashion-mnist", "mnist:DIR", "synthetic", "cifar10:PATH", "cifar100:PATH", "cifar100-coarse:PATH",
        "image-folder:DIR", "bible-kjv", "text:FILE", "bible-verses", "labelled-text:FILE", "csv:FILE",
      ])
    #expect(datasets.prefix(3).allSatisfy { ($0["classes"] as? [String])?.count == 10 })
    #expect(datasets[3...5].allSatisfy { $0["image_size"] as? [Int] == [3, 32, 32] })
    #expect(Set(datasets.map { $0["content"] as? String }) == ["images", "text", "labelled texts", "table rows"])
    let text = try Invocation("datasets")
    #expect(text.status == 0 && text.lines.contains { $0.hasPrefix("fashion-mnist") && $0.contains("yes") })
  }
}

struct CompletionTests {
  /// Runs the completion script in Bash and checks the completions that it offers.
  @Test(arguments: [
    ("apus ''", "datasets"), ("apus comp", "completions"), ("apus datasets --", "--json"),
    ("apus completions ''", "fish"), ("apus help data", "datasets"),
  ])
  func bashOffers(line: String, word: String) throws {
    let scratch = try ScratchDirectory()
    let script = try scratch.write(Array(Invocation("completions", "bash").output.utf8), to: "apus.bash")
    let process = Process()
    process.executableURL = URL(filePath: "/bin/bash")
    process.arguments = [
      "-c",
      "set -u; . '\(script)'; COMP_WORDS=(\(line)); COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); _apus; "
        + "printf '%s\\n' \"${COMPREPLY[@]}\"",
    ]
    let output = Pipe()
    process.standardOutput = output
    try process.run()
    let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
    process.waitUntilExit()
    #expect(process.terminationStatus == 0)
    #expect(text.split(separator: "\n").contains(Substring(word)), "\(line): \(text)")
  }

  @Test(arguments: ["bash", "zsh", "fish"])
  func everyOptionIsInEveryScript(shell: String) throws {
    let script = try Invocation("completions", shell).output
    for command in [
      "devices", "models", "datasets", "train", "evaluate", "errors", "predict", "summary", "bench", "verify",
    ] {
      let options = try Invocation("help", command).output.matches(of: /--([a-z][a-z-]+)/).map(\.output.1)
      #expect(!options.isEmpty && script.contains(command), "\(command)")
      for option in options { #expect(script.contains(option), "\(command) --\(option)") }
    }
    // Single quotes balance: no help text closes a quoted string of the script.
    #expect(script.replacingOccurrences(of: "'\\''", with: "").count { $0 == "'" } % 2 == 0)
  }
}
