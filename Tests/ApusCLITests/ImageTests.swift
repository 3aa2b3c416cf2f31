import Apus
import ApusTestSupport
import Foundation
import Testing

/// Images in folders, from training to prediction.
struct ImageTests {
  private let scratch: ScratchDirectory

  /// Writes 30 training and 12 test images of different sizes in three classes. The class is the brightest color
  /// channel; half of the images are PNG files, the others JPEG files.
  init() throws {
    scratch = try ScratchDirectory()
    for (part, count) in [("train", 30), ("test", 12)] {
      for number in 0..<count { try write(number, "\(part)/\(["red", "green", "blue"][number % 3])") }
    }
  }

  private func write(_ number: Int, _ folder: String) throws {
    let (height, width) = (20 + number % 5, 24 + number % 3)
    let image = Image(
      height: height, width: width, channels: 3,
      pixels: (0..<height * width * 3).map { place in
        UInt8((place * 7 + number * 13) % 60 + (place % 3 == number % 3 ? 160 : 20))
      })
    let path = scratch.file("pictures/\(folder)")
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    let bytes = number % 2 == 0 ? image.pngData() : image.jpegData(quality: 95)
    try Data(bytes).write(to: URL(filePath: "\(path)/\(number).\(number % 2 == 0 ? "png" : "jpg")"))
  }

  private func words(_ name: String, _ more: [String] = [], steps: Int = 12) -> [String] {
    [
      "train", "--layers", "conv 4 3x3 stride 2, relu, dense 3", "--data", "image-folder:\(scratch.file("pictures"))",
      "--image-size", "16", "--augment", "flip, crop pad 2, color 0.1", "--steps", "\(steps)", "--batch-size", "10",
      "--learning-rate", "0.01", "--device", "cpu", "--json", "--output", scratch.file(name),
    ] + more
  }

  @Test func fromTrainingToPrediction() throws {
    let run = try Invocation(words("run", ["--class-weights", "balanced"], steps: 60))
    #expect(run.status == 0, "\(run.errors)")
    #expect(try #require(try run.member("test_accuracy", as: Double.self)) >= 0.9)
    #expect(try run.member("loader_share", as: Double.self) != nil)
    let picture = scratch.file("pictures/test/blue/2.png")
    let said = try Invocation("predict", scratch.file("run"), picture, scratch.file("pictures/test/green/1.jpg"))
    #expect(said.status == 0 && said.lines.count == 2, "\(said.errors)")
    #expect(said.lines[0].hasPrefix("\(picture): blue (") && said.lines[1].contains("1.jpg: green ("))
    let measured = try Invocation("evaluate", scratch.file("run"), "--json")
    #expect(try measured.member("test_accuracy", as: Double.self) == run.member("test_accuracy"))
    let events = try FileManager.default.contentsOfDirectory(atPath: scratch.file("run/tensorboard"))
    #expect(events.count == 1 && events[0].hasPrefix("events.out.tfevents."))
  }

  /// A large image, red on the left and blue on the right, is predicted in tiles of 16 × 16 pixels, the input size of
  /// the model.
  @Test func largeImagesArePredictedByTiles() throws {
    #expect(try Invocation(words("run", steps: 60)).status == 0)
    let pixels = (0..<40 * 70 * 3).map { place -> UInt8 in
      let bright = place / 3 % 70 < 42 ? 0 : 2
      return UInt8(place * 7 % 60 + (place % 3 == bright ? 160 : 20))
    }
    let large = Image(height: 40, width: 70, channels: 3, pixels: pixels)
    let file = scratch.file("large.png")
    try Data(large.pngData()).write(to: URL(filePath: file))
    let run = try Invocation(
      "predict", scratch.file("run"), file, "--tile-overlap", "4", "--output", scratch.file("maps"), "--device", "cpu",
      "--json")
    try #require(run.status == 0, "\(run.errors)")
    let line = try JSON(parsing: Array(run.lines[0].utf8))
    let tiles = try #require(line["tiles"]?.array)
    // Along each axis, a tile begins every 12 pixels, and the last tile ends at the edge of the image: 3 rows of 6
    // tiles.
    #expect(tiles.count == 18 && tiles[5]["left"]?.integer == 54 && tiles[17]["top"]?.integer == 24)
    #expect(tiles[0]["class"]?.string == "red" && tiles[5]["class"]?.string == "blue")
    #expect(try line["class"]?.string == "red" && run.member("examples") == 1)
    let own = tiles.compactMap { $0["class"]?.string == "red" ? $0["probability"]?.number : nil }
    #expect((line["probability"]?.number ?? 2) <= own.reduce(0, max))
    let map = try Image(contentsOf: scratch.file("maps/large.png"))
    #expect(map.height == 40 && map.width == 70 && map.channels == 3)
    // Red minus blue in column `x` of row 20. The overlay is most colorful where the predicted class is found.
    func color(_ x: Int) -> Int {
      let start = (20 * 70 + x) * 3
      return Int(map.pixels[start]) - Int(map.pixels[start + 2])
    }
    #expect(color(5).magnitude > 40 && color(66).magnitude < color(5).magnitude)
    let text = try Invocation("predict", scratch.file("run"), file, "--tile-overlap", "0", "--device", "cpu")
    #expect(text.lines.count == 1 && text.output.contains("15 tiles"), "\(text.output) \(text.errors)")
    let wide = try Invocation("predict", scratch.file("run"), file, "--tile-overlap", "16", "--device", "cpu")
    #expect(wide.status == 64 && wide.errors.contains("--tile-overlap 16"), "\(wide.errors)")
    let alone = try Invocation("predict", scratch.file("run"), file, "--output", scratch.file("maps"))
    #expect(alone.status == 64 && alone.errors.contains("--tile-overlap"), "\(alone.errors)")
  }

  /// Neither the number of threads nor a stop within an epoch changes a bit of the trained weights, with or without
  /// mixup and cutmix.
  @Test(arguments: [[], ["--augment", "flip, mixup, cutmix"]]) func sameBits(mixing: [String]) throws {
    func digest(_ words: [String]) throws -> String? {
      // `words` has `--augment` already, and an option may be given only once.
      var words = words
      if !mixing.isEmpty, let place = words.firstIndex(of: "--augment") { words.removeSubrange(place...place + 1) }
      let run = try Invocation(words + mixing)
      #expect(run.status == 0, "\(run.errors)")
      return try run.member("weights_sha256")
    }
    let whole = try digest(words("whole", ["--workers", "0"]))
    #expect(whole != nil)
    for workers in ["1", "4"] { #expect(try digest(words("w\(workers)", ["--workers", workers])) == whole) }
    _ = try digest(words("half", steps: 5))
    let rest = try Invocation("train", "--resume", scratch.file("half"), "--steps", "12", "--json")
    #expect(try rest.member("weights_sha256") == whole, "\(rest.errors)")
  }

  @Test func badImagesEndTheRunOrAreCounted() throws {
    let path = scratch.file("pictures/train/red/0.png")
    let whole = try Data(contentsOf: URL(filePath: path))
    try whole.prefix(whole.count / 2).write(to: URL(filePath: path))
    let stopped = try Invocation(words("stopped"))
    #expect(stopped.status == 65 && stopped.errors.contains("red/0.png: not a valid PNG file"), "\(stopped.errors)")
    let counted = try Invocation(words("counted", ["--skip-bad"]))
    #expect(counted.status == 0 && counted.errors.contains("skipped: \(path)"), "\(counted.errors)")
    #expect(try counted.member("skipped_images") == 1)
  }

  @Test func namesThatAreNotUTF8AreCounted() throws {
    let good = scratch.file("pictures/train/red/0.png")
    let name = Array(scratch.file("pictures/train/red/caf").utf8) + [0xE9] + Array(".png\0".utf8)
    name.withUnsafeBufferPointer { buffer in
      buffer.withMemoryRebound(to: CChar.self) { #expect(link(good, $0.baseAddress!) == 0) }
    }
    let stopped = try Invocation(words("stopped"))
    #expect(
      stopped.status == 74 && stopped.errors.contains("its name may not be UTF-8; rename it"), "\(stopped.errors)")
    let counted = try Invocation(words("counted", ["--skip-bad"]))
    #expect(try counted.status == 0 && counted.member("skipped_images") == 1, "\(counted.errors)")
  }

  /// Evaluation leaves out test images that cannot be read, and reports the right file names for all others. An
  /// argument of `predict` that cannot be read is an error.
  @Test func badTestImagesAreLeftOut() throws {
    let path = scratch.file("pictures/test/green/4.png")
    let whole = try Data(contentsOf: URL(filePath: path))
    try whole.prefix(whole.count / 2).write(to: URL(filePath: path))
    // After one step the weights are nearly untrained: most images get the same class, so that some are misclassified.
    let run = try Invocation(words("run", ["--skip-bad"], steps: 1))
    #expect(try run.status == 0 && run.member("skipped_images") == 1, "\(run.errors)")
    let trained = scratch.file("run")
    let measured = try Invocation("evaluate", trained, "--device", "cpu", "--json")
    #expect(measured.status == 0 && measured.errors.contains("skipped: \(path)"), "\(measured.errors)")
    #expect(try measured.member("examples") == 11 && measured.member("skipped_images") == 1)
    #expect(try measured.member("test_loss", as: Double.self) == run.member("test_loss"))
    let matrix = try #require(try measured.member("confusion_matrix", as: [[Int]].self))
    #expect(matrix.map { $0.reduce(0, +) } == [4, 3, 4])
    let text = try Invocation("evaluate", trained, "--device", "cpu", "--human-error", "0")
    #expect(text.output.contains("11 test images of") && text.output.contains("1 image that could not be read"))

    let errors = try Invocation("errors", trained, "--device", "cpu", "--json")
    #expect(try errors.member("skipped_images") == 1 && errors.errors.contains("skipped: \(path)"))
    let names = ["blue/11.jpg", "blue/2.png", "blue/5.jpg", "blue/8.png", "green/1.jpg", "green/10.png", "green/4.png"]
    let all = names + ["green/7.jpg", "red/0.png", "red/3.jpg", "red/6.png", "red/9.jpg"]
    #expect(errors.lines.count > 4)
    for line in errors.lines.dropLast() {
      let entry = try #require(JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any])
      let (name, number) = (try #require(entry["name"] as? String), try #require(entry["example"] as? Int))
      #expect(name == scratch.file("pictures/test/\(all[number])") && name != path)
      #expect(all[number].hasPrefix("\(entry["class"] as? String ?? "")/"))
    }
    let plot = try Invocation("plot", trained, "--device", "cpu")
    #expect(plot.status == 0 && plot.errors.contains("skipped: \(path)"), "\(plot.errors)")
    let page = try String(contentsOfFile: "\(trained)/report.html", encoding: .utf8)
    #expect(page.contains("All 12 test examples") && page.contains("without 1 that could not be read"))

    let good = scratch.file("pictures/test/green/1.jpg")
    for files in [[good, path], [path, good]] {
      let said = try Invocation(["predict", trained] + files + ["--device", "cpu"])
      #expect(said.status == 65 && said.errors.contains("\(path): not a valid PNG"), "\(said.status) \(said.errors)")
      #expect(said.output.isEmpty)
    }
    for name in all { try Data("nothing".utf8).write(to: URL(filePath: scratch.file("pictures/test/\(name)"))) }
    let none = try Invocation("evaluate", trained, "--device", "cpu")
    #expect(none.status == 65 && none.errors.contains("none of the 12 examples could be read"), "\(none.errors)")
  }

  /// By default, a folder without splits is evaluated as a whole, unless the run was trained on it. Of the folder on
  /// which the run was trained, only held-out images are evaluated, here the validation images. `--part` selects
  /// other images.
  @Test func foldersWithoutPartsAreMeasuredWhole() throws {
    let run = try Invocation(words("run", ["--validation", "0.2"], steps: 2))
    #expect(run.status == 0, "\(run.errors)")
    for (data, words, part, count) in [
      (scratch.file("pictures/test"), [], "all", 12), (scratch.file("pictures"), [], "validation", 6),
      (scratch.file("pictures"), ["--part", "test"], "test", 12), (scratch.file("pictures/."), [], "validation", 6),
      (scratch.file("pictures"), ["--part", "all"], "all", 42),
      (scratch.file("pictures"), ["--part", "train"], "train", 24),
    ] {
      let source = "image-folder:\(data)"
      let measured = try Invocation(
        ["evaluate", scratch.file("run"), "--data", source, "--device", "cpu", "--json"] + words)
      #expect(try measured.member("part") == part && measured.member("examples") == count, "\(measured.errors)")
    }
    let none = try Invocation(
      words("none", ["--test-share", "0", "--data", "image-folder:\(scratch.file("pictures/test"))"]))
    #expect(none.status == 64, "\(none.errors)")
  }

  @Test func linksAndUnknownClassesAreErrors() throws {
    try FileManager.default.createSymbolicLink(
      atPath: scratch.file("pictures/train/red/out.png"), withDestinationPath: "/etc/hostname")
    let left = try Invocation(words("left"))
    #expect(left.status == 65 && left.errors.contains("out.png"), "\(left.errors)")
    try FileManager.default.removeItem(atPath: scratch.file("pictures/train/red/out.png"))
    try write(40, "test/yellow")
    let unknown = try Invocation(words("unknown"))
    #expect(unknown.status == 65 && unknown.errors.contains("yellow"), "\(unknown.errors)")
  }

  @Test(arguments: [
    (["--augment", "flp"], 64, "did you mean flip?"), (["--augment", "crop 20"], 65, "the model takes 16"),
    (["--augment", "scales 8 16"], 65, "of different sizes"), (["--transform", "shorter 16"], 65, "differ in size"),
    (["--transform", "mixup"], 64, "for training alone"),
    (["--workers", "-1"], 64, "an integer from 0 to 256"), (["--stem", "small"], 64, "a chain of layers"),
    (["--validation", "0.5", "--test-share", "0.5"], 64, "no training"), (["--channels", "2"], 64, "--channels"),
  ])
  func wrongOptions(options: [String], status: Int32, message: String) throws {
    var words = words("wrong")
    if options[0] == "--augment", let place = words.firstIndex(of: "--augment") {
      words.removeSubrange(place...place + 1)
    }
    if options[0] == "--transform", let place = words.firstIndex(of: "--image-size") {
      words.removeSubrange(place...place + 1)
    }
    let run = try Invocation(words + options)
    #expect(run.status == status && run.errors.contains(message), "\(run.status) \(run.errors)")
    #expect(!FileManager.default.fileExists(atPath: scratch.file("wrong")))
  }

  /// A full disk, simulated by a file size limit, damages no earlier checkpoint, and the run can be resumed.
  @Test func aFullDiskLosesNothing() throws {
    let before = try Invocation(words("full", steps: 6))
    #expect(before.status == 0, "\(before.errors)")
    let shell = Process()
    shell.executableURL = URL(filePath: "/bin/sh")
    let resume = "\(Invocation.executable.path) train --resume \(scratch.file("full")) --steps 12"
    shell.arguments = ["-c", "ulimit -f 1; exec \(resume)"]
    let errors = Pipe()
    (shell.standardOutput, shell.standardError) = (FileHandle.nullDevice, errors)
    try shell.run()
    let text = String(decoding: errors.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
    shell.waitUntilExit()
    #expect(shell.terminationReason == .exit && shell.terminationStatus == 74, "\(shell.terminationStatus) \(text)")
    #expect(text.contains(scratch.file("full")) && text.contains("File too large"), "\(text)")
    let rest = try Invocation("train", "--resume", scratch.file("full"), "--steps", "12", "--json")
    let whole = try Invocation(words("whole"))
    #expect(try rest.status == 0 && rest.member("weights_sha256", as: String.self) == whole.member("weights_sha256"))
  }

  @Test func validationExamplesComeFromTheTrainingPart() throws {
    let run = try Invocation(words("held", ["--validation", "0.2", "--train-count", "24", "--sampling", "balanced"]))
    #expect(run.status == 0, "\(run.errors)")
    let record = try #require(run.lines.dropLast().last).data(using: .utf8)
    let epoch = try JSONSerialization.jsonObject(with: try #require(record)) as? [String: Any]
    #expect(epoch?["validation_accuracy"] != nil && epoch?["test_accuracy"] != nil)
    let first = try JSONSerialization.jsonObject(with: Data(run.lines[0].utf8)) as? [String: Any]
    #expect(first?["validation_loss"] != nil && first?["test_loss"] == nil)
  }
}
