import ApusTestSupport
import Foundation
import Glibc
import Testing

@testable import ApusData

struct ImageFolderTests {
  private let files = FileManager.default

  /// Writes a file to each path. If `paths[n]` is the path of an image, the image is one row of `n + 1` pixels, which
  /// all have the value `n`. Other files have one byte.
  private func folder(_ paths: [String]) throws -> ScratchDirectory {
    let scratch = try ScratchDirectory()
    for (number, path) in paths.enumerated() { try write(number, to: path, in: scratch) }
    return scratch
  }

  private func write(_ value: Int, to path: String, in scratch: ScratchDirectory) throws {
    let parent = URL(filePath: scratch.file(path)).deletingLastPathComponent().path
    try files.createDirectory(atPath: parent, withIntermediateDirectories: true)
    let isImage = path.contains(/\.(?i)(png|jpe?g)$/)
    let image = Image(
      height: 1, width: 1 + value, channels: 1, pixels: [UInt8](repeating: UInt8(value), count: 1 + value))
    _ = try scratch.write(isImage ? image.pngData() : [1], to: path)
  }

  private func link(_ path: String, to target: String, in scratch: ScratchDirectory) throws {
    try files.createSymbolicLink(atPath: scratch.file(path), withDestinationPath: target)
  }

  private func names(_ source: any ImageSource, _ scratch: ScratchDirectory) -> [String] {
    source.labels.indices.map { String(source.name(of: $0).dropFirst(scratch.path.count + 1)) }
  }

  private func failure(_ scratch: ScratchDirectory) -> String {
    #expect(throws: DataError.self) { try ImageDataset.load("image-folder:\(scratch.path)") }?.description ?? ""
  }

  @Test func theFoldersTrainTestAndValAreTheSplits() throws {
    let scratch = try folder([
      "train/dog/b.PNG", "train/dog/a.jpeg", "train/dog/deep/er/c.png", "train/cat/1.Jpg", "train/cat/notes.txt",
      "train/cat/.hidden.png", "train/.hidden/x.png", "train/loose.png", "test/dog/t.png", "val/cat/v.png",
      "other/x/y.png",
    ])
    let data = try ImageDataset.load("image-folder:\(scratch.path)/")
    #expect(data.classNames == ["cat", "dog"])
    #expect(
      names(data.train, scratch)
        == ["train/cat/1.Jpg", "train/dog/a.jpeg", "train/dog/b.PNG", "train/dog/deep/er/c.png"])
    #expect(data.train.labels == [0, 1, 1, 1])
    #expect(names(data.test, scratch) == ["test/dog/t.png"] && data.test.labels == [1])
    #expect(names(try #require(data.validation), scratch) == ["val/cat/v.png"])
    #expect(data.imageSize == nil && data.statistics == nil)
    // Images of different sizes, decoded on request.
    #expect(try data.train.image(2) == Image(height: 1, width: 1, channels: 1, pixels: [0]))
    #expect(try data.train.image(3).width == 3)
  }

  /// Apus cannot open files whose names are not UTF-8. An image with such a name is listed, but cannot be read. A
  /// folder with such a name is an error.
  @Test func namesThatAreNotUTF8() throws {
    let scratch = try folder(["a/1.png", "b/2.png"])
    /// Calls `body` with the path, after replacing each `?` by the byte 0xE9, so that the path is not UTF-8.
    func lossy(_ path: String, _ body: (UnsafePointer<CChar>) -> Int32) {
      let bytes = Array(scratch.file(path).utf8).map { $0 == UInt8(ascii: "?") ? 0xE9 : $0 } + [0]
      bytes.withUnsafeBufferPointer { buffer in
        buffer.withMemoryRebound(to: CChar.self) { #expect(body($0.baseAddress!) == 0) }
      }
    }
    lossy("a/caf?.png") { Glibc.link(scratch.file("a/1.png"), $0) }
    lossy("a/notes?") { Glibc.link(scratch.file("a/1.png"), $0) }
    let listed = try ImageFolder(path: scratch.path)
    #expect(names(listed, scratch) == ["a/1.png", "a/caf\u{FFFD}.png", "b/2.png"])
    let error = #expect(throws: DataError.self) { try listed.image(1) }
    #expect(error?.description.contains("its name may not be UTF-8; rename it") == true)
    lossy("a/de?p") { mkdir($0, 0o700) }
    #expect(failure(scratch).contains("cannot list: its name is not UTF-8; rename it"))
  }

  /// Without a folder `test`, the images of `val` are the test examples.
  @Test func valIsTheTestSplitIfThereIsNoTestFolder() throws {
    let scratch = try folder(["train/a/1.png", "train/b/1.png", "val/b/2.png"])
    let data = try ImageDataset.load("image-folder:\(scratch.path)")
    #expect(names(data.test, scratch) == ["val/b/2.png"] && data.validation == nil)
    let more = try folder((0..<10).flatMap { ["train/a/\($0).png", "train/b/\($0).png"] } + ["val/b/2.png"])
    let split = try ImageDataset.load("image-folder:\(more.path)", split: SplitOptions(validation: 0.3))
    #expect(split.validation?.labels == [0, 0, 0, 1, 1, 1] && split.train.labels.count == 14)
  }

  @Test func foldersWithoutTestOrValAreSplit() throws {
    let paths = (0..<15).map { "a/\($0).png" } + (0..<10).map { "b/\($0).png" }
    for prefix in ["", "train/"] {
      let scratch = try folder(paths.map { prefix + $0 })
      let data = try ImageDataset.load("image-folder:\(scratch.path)")
      #expect(data.classNames == ["a", "b"] && data.validation == nil)
      #expect(data.test.labels == [0, 0, 0, 1, 1] && data.train.labels.count == 20)
      let all = (names(data.train, scratch) + names(data.test, scratch)).sorted()
      #expect(all == paths.map { prefix + $0 }.sorted())
      let again = try ImageDataset.load("image-folder:\(scratch.path)")
      #expect(names(data.test, scratch) == names(again.test, scratch))
      let other = try ImageDataset.load(
        "image-folder:\(scratch.path)", split: SplitOptions(test: 0.4, validation: 0.2, seed: 1))
      #expect(other.test.labels.count == 10 && other.validation?.labels == [0, 0, 0, 1, 1])
    }
  }

  /// Links inside the folder: to files, to folders, and in loops.
  @Test func linksInside() throws {
    let scratch = try folder(["a/1.png", "a/x/2.png", "b/3.png", "pool.png"])
    try link("a/link.png", to: "../pool.png", in: scratch)
    try link("a/x/up", to: "..", in: scratch)
    try link("a/self", to: ".", in: scratch)
    try link("a/root", to: "../", in: scratch)
    try link("a/y", to: "x", in: scratch)
    try link("c", to: "b", in: scratch)
    let all = try ImageFolder(path: scratch.path)
    #expect(all.classNames == ["a", "b", "c"])
    // Only one of x and y is traversed: both are the same folder.
    let found = names(all, scratch)
    #expect(found.count == 5 && found.contains("a/link.png") && found.contains("c/3.png"))
    #expect(found.contains("a/x/2.png") != found.contains("a/y/2.png"))
    #expect(try all.image(found.firstIndex(of: "a/link.png")!).width == 4)
  }

  /// Each folder has two links to the next folder, which gives 2³⁹ paths to the last folder. Each image is listed once.
  @Test func imagesBehindManyLinksAreListedOnce() throws {
    let scratch = try folder((0..<40).map { "a/\($0)/p.png" })
    for level in 0..<39 {
      try link("a/\(level)/one", to: "../\(level + 1)", in: scratch)
      try link("a/\(level)/two", to: "../\(level + 1)", in: scratch)
    }
    #expect(try ImageFolder(path: scratch.path).labels.count == 40)
  }

  @Test func linksThatLeaveAreRefused() throws {
    let outside = try folder(["x.png", "d/y.png"])
    for (path, target) in [
      ("train/a/l.png", outside.file("x.png")), ("train/a/l", outside.file("d")), ("train/l", outside.path),
      ("train/a/l", "../../.."), ("test", outside.file("d")),
    ] {
      let scratch = try folder(["train/a/1.png", "train/b/1.png", "val/a/1.png"])
      try link(path, to: target, in: scratch)
      let text = failure(scratch)
      #expect(
        text.contains("\(scratch.path)/\(path): cannot use this image folder file: the symbolic link leads"), "\(text)")
    }
    // The target is beside the root folder, and its name starts with the name of the root folder.
    let scratch = try folder(["r/a/1.png", "r-other/2.png"])
    try link("r/a/l", to: "../../r-other", in: scratch)
    let error = #expect(throws: DataError.self) { try ImageFolder(path: scratch.file("r")) }
    #expect(error?.description.contains("r/a/l") == true)
  }

  @Test func linksThatLeadNowhereAreNamed() throws {
    let scratch = try folder(["a/1.png"])
    try link("a/l.png", to: "l.png", in: scratch)
    #expect(failure(scratch).contains("a/l.png: cannot resolve: Too many levels of symbolic links"))
    let other = try folder(["a/1.png"])
    try link("a/l.png", to: "nothing.png", in: other)
    #expect(failure(other).contains("a/l.png: cannot resolve: No such file"))
  }

  @Test func classesMustBeKnownAndHaveImages() throws {
    let unknown = try folder(["train/a/1.png", "test/b/1.png"])
    #expect(failure(unknown).contains("test/b: cannot use this image folder file: an unknown class"))
    let empty = try folder(["train/a/1.png", "train/b/notes.txt", "test/a/1.png"])
    #expect(failure(empty).contains("train/b: cannot use this image folder file: it has no images"))
    #expect(failure(try folder(["a.png"])).contains("it has no class folders"))
    #expect(failure(try folder(["a/1.png", "b/1.png"])).contains("2 images in 2 classes are too few"))
    let error = #expect(throws: DataError.self) { try ImageDataset.load("image-folder:/nowhere") }
    #expect(error?.description.contains("no /nowhere") == true)
    let scratch = try folder(["a/1.png"])
    #expect(throws: DataError.self) { try ImageDataset.load("image-folder:\(scratch.file("a/1.png"))") }
  }

  @Test func badFilesAreNamed() throws {
    let scratch = try folder(["a/1.png", "a/2.png", "a/3.png"])
    let all = try ImageFolder(path: scratch.path)
    _ = try scratch.write([], to: "a/1.png")
    _ = try scratch.write(Array("no image".utf8), to: "a/2.png")
    try files.removeItem(atPath: scratch.file("a/3.png"))
    for number in 0..<3 {
      let error = #expect(throws: DataError.self) { try all.image(number) }
      #expect(error?.description.contains(scratch.file("a/\(number + 1).png")) == true)
    }
    #expect(mkfifo(scratch.file("a/pipe.png"), 0o600) == 0)
    #expect(failure(scratch).contains("a/pipe.png: cannot list: not a regular file"))
  }
}
