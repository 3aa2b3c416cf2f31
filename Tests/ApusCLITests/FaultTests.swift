import ApusTestSupport
import Foundation
import Testing

/// Each bad input, and each fault of the machine, gives one exit code and one message.
struct FaultTests {
  private let images: TinyImages
  private let scratch: ScratchDirectory

  init() throws {
    images = try TinyImages()
    scratch = try ScratchDirectory()
  }

  private func train(_ words: [String], environment: [String: String] = [:]) throws -> Invocation {
    let common = ["--steps", "2", "--output", scratch.file("run"), "--json"]
    let run = try Invocation(["train"] + words + common, environment: environment)
    // A run that cannot start leaves no folder and prints nothing that looks like a result.
    #expect(run.output.isEmpty && !FileManager.default.fileExists(atPath: scratch.file("run")))
    return run
  }

  @Test(arguments: [
    (["lenet6"], 64, "unknown model \"lenet6\"; did you mean lenet5?"), ([], 64, "MODEL is missing"),
    (["mlp", "--optimiser", "sgd"], 64, "unknown option --optimiser; did you mean --optimizer?"),
    (["mlp", "--optimizer", "adan"], 64, "unknown --optimizer \"adan\"; did you mean adam?"),
    (["mlp", "--device", "gpu"], 64, "unknown --device \"gpu\""),
    (
      ["mlp", "--data", "fashon-mnist"], 64,
      "unknown data source \"fashon-mnist\"; did you mean fashion-mnist? (choose from fashion-mnist, mnist:DIR"
    ),
    (["mlp", "--data", "mnst:/tmp"], 64, "unknown data source \"mnst:/tmp\"; did you mean mnist:DIR?"),
    (["mlp", "--data", "xyz"], 64, "unknown data source \"xyz\" (choose from fashion-mnist"),
    (["mlp", "--epochs", "0"], 64, "--epochs: \"0\" is not a number above 0, at most 1000000000"),
    (["mlp", "--epochs", "1"], 64, "--epochs and --steps exclude each other"),
    (["mlp", "--learning-rate", "nan"], 64, "--learning-rate: \"nan\" is not a number above 0"),
    (["mlp", "--replace-head"], 64, "--replace-head needs --weights"),
    (["mlp", "--set", "seed"], 64, "--set seed: expected key=value"),
    (["mlp", "--set", "sead=1"], 64, "unknown key \"sead\"; did you mean seed?"),
    (["--layers", "dens 10"], 64, "did you mean dense?"),
    (["--layers", "pool 40, dense 10"], 65, "layer 1 (pool 40): needs a height of at least 40, but its input has 28"),
    (["--layers", "dense 9"], 65, "gives 9 values, but the data have 10 classes"),
    (["--layers", "conv 3 3x3"], 65, "gives 3x26x26 values, but the data have 10 classes"),
    (["mlp", "--classes", "4"], 64, "--classes 4 is less than the 10 classes of the data"),
    (["mlp", "--weights", "/nowhere"], 74, "/nowhere: cannot open: No such file or directory"),
    (["mlp", "--config", "/nowhere"], 74, "/nowhere: cannot open: No such file or directory"),
  ])
  func badCommandLines(words: [String], status: Int32, message: String) throws {
    let run = try train((words.contains("--data") ? [] : ["--data", images.source]) + words)
    #expect(run.status == status && run.errors.contains(message), "\(run.errors)")
  }

  // MARK: - Data

  @Test(arguments: ["train-images-idx3-ubyte", "t10k-labels-idx1-ubyte"])
  func badDataFiles(name: String) throws {
    let path = images.directory.file(name)
    let good = try Array(Data(contentsOf: URL(filePath: path)))
    let cases: [(bytes: [UInt8], message: String)] = [
      (good.dropLast(), "the header declares"), (good + [0], "but there are more"),
      ([0, 0, 7] + good[3...], "element type 7"), ([1] + good[1...], "the file must start with 0 0 TYPE RANK"),
      (Array(good[..<6]), "the file ends inside the header"), ([], "the file must start with"),
    ]
    for (bytes, message) in cases {
      _ = try images.directory.write(Array(bytes), to: name)
      let run = try train(["mlp", "--data", images.source])
      #expect(run.status == 65, "\(message): \(run.errors)")
      #expect(run.errors.contains(name) && run.errors.contains(message), "\(run.errors)")
    }
    try FileManager.default.removeItem(atPath: path)
    let run = try train(["mlp", "--data", images.source])
    #expect(run.status == 74 && run.errors.contains("use a folder that contains"), "\(run.errors)")
  }

  @Test func filesToPredictMustHaveImagesOfTheModelsSize() throws {
    let output = scratch.file("trained")
    _ = try Invocation(
      "train", "mlp", "--steps", "1", "--data", images.source, "--device", "cpu", "--output", output)
    let labels = try Invocation("predict", output, images.directory.file("train-labels-idx1-ubyte"))
    #expect(labels.status == 65 && labels.errors.contains("uint8 of rank 1, not images"), "\(labels.errors)")
    let other = try scratch.write([0, 0, 8, 2, 0, 0, 0, 1, 0, 0, 0, 2, 3, 4], to: "small")
    let small = try Invocation("predict", output, images.testImages, other)
    #expect(small.status == 65 && small.output.isEmpty, "\(small.errors)")
    #expect(small.errors.contains("images of 1x1x2, but the model takes 1x28x28"), "\(small.errors)")
    for command in ["evaluate", "predict"] {
      let run = try Invocation([command, scratch.file("nothing")] + (command == "predict" ? [other] : []))
      #expect(run.status == 74 && run.errors.contains("cannot read a run: it does not exist"), "\(run.errors)")
    }
  }

  // MARK: - Weights

  /// Unreadable weights are reported before the memory that training takes is estimated and printed.
  @Test func unreadableWeightsAreFoundFirst() throws {
    let folder = scratch.file("folder")
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: false)
    let damaged = try scratch.write([1, 2, 3], to: "damaged.safetensors")
    for (path, status, message) in [
      (scratch.file("missing.safetensors"), 74, "cannot open: No such file or directory"),
      (damaged, 65, "not a valid safetensors file"), (folder, 74, "it is not the folder of a run"),
    ] as [(String, Int32, String)] {
      let run = try train(["mlp", "--data", images.source, "--device", "cpu", "--weights", path])
      #expect(run.status == status && run.errors.contains("\(path): ") && run.errors.contains(message))
      #expect(!run.errors.contains("training takes"), "\(run.errors)")
    }
    let curve = try Invocation(
      "learning-curve", "mlp", "--data", images.source, "--weights", "/nowhere", "--output", scratch.file("curve"))
    #expect(curve.status == 74 && !FileManager.default.fileExists(atPath: scratch.file("curve")), "\(curve.errors)")
  }

  @Test func weightsThatDoNotFit() throws {
    let header = #"{"1.weight":{"dtype":"F32","shape":[256,784],"data_offsets":[0,802816]}}"#
    let bytes = [UInt8(header.utf8.count), 0, 0, 0, 0, 0, 0, 0] + Array(header.utf8)
    let missing = try scratch.write(bytes + [UInt8](repeating: 0, count: 802_816), to: "missing")
    let run = try train(["mlp", "--data", images.source, "--weights", missing])
    // One message lists all missing keys.
    let keys = "\"1.bias\", \"3.weight\", \"3.bias\", \"5.weight\", \"5.bias\" are missing"
    #expect(run.status == 65 && run.errors.contains(keys), "\(run.errors)")
    let short = try scratch.write(bytes, to: "short")
    let other = try train(["mlp", "--data", images.source, "--weights", short])
    #expect(other.status == 65 && other.errors.contains("not a valid safetensors file"), "\(other.errors)")
  }

  // MARK: - Devices

  @Test func missingDevices() throws {
    let none = ["OCL_ICD_VENDORS": scratch.path]
    let data = ["mlp", "--data", images.source]
    let named = try train(data + ["--device", "opencl"], environment: none)
    #expect(named.status == 69 && named.errors.contains("no platform"), "\(named.errors)")
    #expect(named.errors.contains("apt install pocl-opencl-icd"))
    let chosen = try train(data, environment: none.merging(["APUS_DEVICE": "opencl"]) { $1 })
    #expect(chosen.status == 69 && chosen.errors.contains("no platform"), "\(chosen.errors)")
    let numbered = try train(data + ["--device", "opencl:99"])
    #expect(numbered.status == 69 && numbered.errors.contains("opencl:99 is not available"), "\(numbered.errors)")
    let word = try train(data, environment: ["APUS_DEVICE": "cppu"])
    #expect(word.status == 64 && word.errors.contains("APUS_DEVICE: \"cppu\" is not one of auto, cpu"))
  }

  /// The command does not find the stand-in for CUDA, and the folder of OpenCL's platforms is empty.
  @Test(.enabled("a CUDA driver is installed") { !FileManager.default.fileExists(atPath: "/dev/nvidiactl") })
  func theAutomaticDeviceIsReported() throws {
    let run = try Invocation(
      ["train", "mlp", "--steps", "1", "--data", images.source, "--output", scratch.file("run"), "--json"],
      environment: ["OCL_ICD_VENDORS": scratch.path, "APUS_DEVICE": "auto"])
    let reason = "device cpu: no discrete GPU was found: CUDA and OpenCL are not available; apus devices prints"
    #expect(run.status == 0 && run.errors.contains(reason), "\(run.errors)")
  }

  @Test func unknownWordsInTheEnvironment() throws {
    for (name, device, message) in [
      ("APUS_SIMD", "cpu", "APUS_SIMD is \"foo\"; this machine supports"),
      ("APUS_THREADS", "cpu", "APUS_THREADS is \"foo\"; it must be a number from 1 to 1024"),
      ("APUS_KERNEL_CLASS", "opencl", "APUS_KERNEL_CLASS is \"foo\"; it must be cpu or gpu"),
    ] {
      let run = try train(["mlp", "--data", images.source, "--device", device], environment: [name: "foo"])
      #expect(run.status == 69 && run.errors.contains(message), "\(run.errors)")
    }
  }

  @Test(.enabled(if: Invocation.isPoCL, "the fault is made by settings of PoCL")) func kernelsThatDoNotBuild() throws {
    let run = try train(
      ["mlp", "--data", images.source, "--device", "opencl"],
      environment: [
        "POCL_EXTRA_BUILD_FLAGS": "-Dfloat=struct", "POCL_CACHE_DIR": scratch.file("pocl"),
        "XDG_CACHE_HOME": scratch.file("cache"),
      ])
    #expect(run.status == 1 && run.errors.contains("could not build"), "\(run.errors.prefix(2000))")
    #expect(run.errors.contains("(--device cpu)") && run.errors.contains("more lines"))
  }

  @Test(.enabled(if: Invocation.isPoCL, "the fault is made by settings of PoCL")) func memoryThatDoesNotSuffice() throws
  {
    let words = ["--layers", "conv 64 3x3 pad 1, relu, dense 10", "--data", "synthetic", "--device", "opencl"]
    let run = try train(words + ["--batch-size", "full"], environment: ["POCL_MEMORY_LIMIT": "1"])
    // The device has 1 GiB, and a single buffer may take a quarter of it. The run is refused before it builds kernels.
    let refusal = #/training at batch size 10000 needs .*, but .* batch size (\d+) fits \(--batch-size \d+\)/#
    let match = try #require(try refusal.firstMatch(in: run.errors), "\(run.errors)")
    #expect(run.status == 1 && Int(match.1).map { (100..<10_000).contains($0) } == true, "\(run.errors)")
  }
}
