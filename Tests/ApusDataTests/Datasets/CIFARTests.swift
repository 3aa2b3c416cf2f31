import ApusTestSupport
import Foundation
import Testing

@testable import ApusData

struct CIFARTests {
  private let names = "airplane\nautomobile\nbird\ncat\ndeer\ndog\nfrog\nhorse\nship\ntruck\n\n"

  /// A record in which byte `i` of the pixels has the value `first + i`, modulo 251.
  private func record(_ labels: [UInt8], first: Int) -> [UInt8] {
    labels + (0..<3072).map { UInt8((first + $0) % 251) }
  }

  /// The files of CIFAR-10, where batch `k` has `k` records.
  private func ten() -> [String: [UInt8]] {
    var files = ["batches.meta.txt": Array(names.utf8), "readme.html": [60, 62]]
    for batch in 1...5 {
      files["data_batch_\(batch).bin"] = (0..<batch).flatMap { record([UInt8(batch)], first: $0) }
    }
    files["test_batch.bin"] = record([9], first: 100) + record([0], first: 50)
    return files
  }

  private func hundred() -> [String: [UInt8]] {
    [
      "fine_label_names.txt": Array((0..<100).map { "fine \($0)\n" }.joined().utf8),
      "coarse_label_names.txt": Array((0..<20).map { "coarse \($0)\n" }.joined().utf8),
      "train.bin": record([3, 99], first: 1) + record([19, 0], first: 2), "test.bin": record([0, 42], first: 3),
    ]
  }

  private func folder(_ files: [String: [UInt8]], _ inner: String = "cifar-10-batches-bin") throws -> ScratchDirectory {
    let scratch = try ScratchDirectory()
    try FileManager.default.createDirectory(atPath: scratch.file(inner), withIntermediateDirectories: true)
    for (name, bytes) in files { _ = try scratch.write(bytes, to: "\(inner)/\(name)") }
    return scratch
  }

  /// An archive whose files are in an arbitrary order, as in the real archive.
  private func archive(_ files: [String: [UInt8]]) -> [UInt8] {
    let sorted = files.sorted { String($0.key.reversed()) < String($1.key.reversed()) }
    return gzipped(
      tarEntry("cifar/", type: "5") + sorted.flatMap { tarEntry("cifar/\($0.key)", $0.value) }
        + [UInt8](repeating: 0, count: 10_240))
  }

  private func failure(_ source: String) -> String {
    #expect(throws: DataError.self) { try ImageDataset.load(source) }?.description ?? ""
  }

  private func failure(_ name: String, _ scratch: ScratchDirectory) -> String {
    withExtendedLifetime(scratch) { failure("\(name):\(scratch.path)") }
  }

  @Test func readsFoldersAndArchives() throws {
    let scratch = try folder(ten())
    let file = try scratch.write(archive(ten()), to: "cifar-10-binary.tar.gz")
    for path in [scratch.path, scratch.file("cifar-10-batches-bin"), file] {
      let data = try ImageDataset.load("cifar10:\(path)")
      let (train, test) = (try #require(data.train as? ImageSet), try #require(data.test as? ImageSet))
      #expect(data.imageSize == [3, 32, 32] && data.classNames[8] == "ship" && data.classNames.count == 10)
      #expect(train.labels == [1, 2, 2, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 5] && test.labels == [9, 0])
      #expect(train.pixels[3072 * 2..<3072 * 3] == record([], first: 1)[...])
      // The expected values are the red, green and blue of the second pixel in the first row.
      #expect(test.image(0).pixels[3..<6] == [101, UInt8(1125 % 251), UInt8(2149 % 251)])
      #expect(data.statistics == PixelStatistics(of: train))
    }
  }

  @Test func fineAndCoarseLabels() throws {
    let scratch = try folder(hundred(), "cifar-100-binary")
    let fine = try ImageDataset.load("cifar100:\(scratch.path)")
    #expect(fine.train.labels == [99, 0] && fine.test.labels == [42] && fine.classNames[99] == "fine 99")
    let file = try scratch.write(archive(hundred()), to: "a.tar.gz")
    let coarse = try ImageDataset.load("cifar100-coarse:\(file)")
    #expect(coarse.train.labels == [3, 19] && coarse.classNames.count == 20)
    #expect((fine.train as? ImageSet)?.pixels == (coarse.train as? ImageSet)?.pixels)
  }

  @Test func missingFilesAreNamed() throws {
    for name in ["data_batch_3.bin", "test_batch.bin", "batches.meta.txt"] {
      var files = ten()
      files[name] = nil
      let scratch = try folder(files)
      let text = failure("cifar10:\(scratch.path)")
      #expect(text.contains("(no \(scratch.path)/cifar-10-batches-bin/\(name)); use the binary version"), "\(text)")
      let file = try scratch.write(archive(files), to: "a.tar.gz")
      #expect(failure("cifar10:\(file)").contains("(no \(file)/\(name))"))
    }
    let empty = try ScratchDirectory()
    #expect(failure("cifar10:\(empty.path)").contains("no \(empty.path)/data_batch_1.bin"))
    #expect(failure("cifar10:/nowhere").contains("no /nowhere"))
    #expect(try failure("cifar100", folder(ten())).contains("train.bin"))
  }

  @Test func damagedRecordsAreRefused() throws {
    var files = ten()
    files["data_batch_2.bin"] = record([1], first: 0) + record([10], first: 0)
    #expect(
      try failure("cifar10", folder(files)).contains("in record 1: label 10 at byte 3073, but there are 10"))
    files["data_batch_2.bin"] = record([1], first: 0) + [1, 2, 3]
    let scratch = try folder(files)
    let text = failure("cifar10:\(scratch.path)")
    #expect(
      text.contains("data_batch_2.bin: not a valid CIFAR file at byte 3073: record 1 has 3 of 3073 bytes"), "\(text)")
    let file = try scratch.write(archive(files), to: "a.tar.gz")
    #expect(failure("cifar10:\(file)").contains("\(file)/cifar/data_batch_2.bin: not a valid CIFAR file at byte 3073"))
    files["data_batch_2.bin"] = []
    #expect(
      try failure("cifar10", folder(files)).contains("data_batch_2.bin: not a valid CIFAR file: it is empty"))
    var others = hundred()
    others["test.bin"] = record([0, 100], first: 0)
    #expect(try failure("cifar100", folder(others)).contains("label 100 at byte 1, but there are 100 classes"))
    others["test.bin"] = record([20, 0], first: 0)
    #expect(try failure("cifar100", folder(others)).contains("label 20 at byte 0, but there are 20 classes"))
  }

  @Test func namesFitTheClasses() throws {
    var files = ten()
    files["batches.meta.txt"] = Array("one\ntwo\n".utf8)
    #expect(try failure("cifar10", folder(files)).contains("2 names in 2 lines, but there are 10 classes"))
    files["batches.meta.txt"] = Array(names.replacing("bird", with: "cat").utf8)
    #expect(try failure("cifar10", folder(files)).contains("9 names in 10 lines"))
    files["batches.meta.txt"] = [0xff]
    #expect(try failure("cifar10", folder(files)).contains("not UTF-8"))
  }

  @Test func damagedArchivesAreRefused() throws {
    let scratch = try ScratchDirectory()
    let bytes = archive(hundred())
    for cut in stride(from: 0, to: bytes.count, by: 97) {
      let file = try scratch.write(Array(bytes[..<cut]), to: "a.tar.gz")
      #expect(throws: DataError.self, "\(cut) bytes") { try ImageDataset.load("cifar100:\(file)") }
    }
    let twice = tarEntry("a/train.bin", record([0, 0], first: 0)) + tarEntry("b/train.bin", record([0, 0], first: 0))
    let file = try scratch.write(twice + tarEnd, to: "b.tar")
    #expect(failure("cifar100:\(file)").contains("the archive has two files named train.bin"))
  }
}
