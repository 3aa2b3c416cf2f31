import Apus
import ApusTestSupport
import Foundation
import Testing

@testable import ApusTraining

/// TensorBoard files. These tests check the bytes; `Tests/Conformance/tensorboard_check.py` reads the files with
/// TensorBoard.
struct EventFileTests {
  private let scratch: ScratchDirectory

  init() throws { scratch = try ScratchDirectory() }

  /// The examples of RFC 3720, appendix B.4.
  @Test func checksums() {
    #expect(CRC32C.checksum([UInt8](repeating: 0, count: 32)) == 0x8a91_36aa)
    #expect(CRC32C.checksum([UInt8](repeating: 0xff, count: 32)) == 0x62a8_ab43)
    #expect(CRC32C.checksum(0..<32) == 0x46dd_794e)
    #expect(CRC32C.checksum((0..<32).reversed()) == 0x113f_db5c)
    #expect(CRC32C.checksum("123456789".utf8) == 0xe306_9283)
    #expect(CRC32C.checksum([]) == 0)
    // The expected values are TensorFlow's: crc32c::Value("foo") and crc32c::Mask of this value.
    #expect(CRC32C.checksum("foo".utf8) == 0xcfc4_ae1d && CRC32C.masked("foo".utf8) == 0xfebe_8a61)
  }

  /// The examples in the documentation of protocol buffers, and numbers at the limits.
  @Test func messages() {
    func bytes(_ build: (inout ProtocolMessage) -> Void) -> [UInt8] {
      var message = ProtocolMessage()
      build(&message)
      return message.bytes
    }
    #expect(bytes { $0.set(1, 150) } == [0x08, 0x96, 0x01])
    #expect(bytes { $0.set(2, "testing") } == [0x12, 0x07] + Array("testing".utf8))
    #expect(bytes { $0.set(3) { $0.set(1, 150) } } == [0x1a, 0x03, 0x08, 0x96, 0x01])
    #expect(bytes { $0.set(1, -1) } == [0x08] + [UInt8](repeating: 0xff, count: 9) + [0x01])
    #expect(bytes { $0.set(1, Int.max) } == [0x08] + [UInt8](repeating: 0xff, count: 8) + [0x7f])
    #expect(bytes { $0.set(1, 1.0) } == [0x09, 0, 0, 0, 0, 0, 0, 0xf0, 0x3f])
    #expect(bytes { $0.set(2, choice: 0) } == [0x15, 0, 0, 0, 0])
    #expect(bytes { $0.set(16, packed: [2]) } == [0x82, 0x01, 0x08, 0, 0, 0, 0, 0, 0, 0, 0x40])
    #expect(
      bytes {
        $0.set(1, 0); $0.set(2, 0.0); $0.set(3, ""); $0.set(4, packed: [])
      } == [])
    #expect(bytes { $0.set(7) { _ in } } == [0x3a, 0])
  }

  /// The record has the bytes of the first record that TensorFlow 2.16 writes to a file, for the time 1.5.
  @Test func records() throws {
    var event = ProtocolMessage()
    event.set(1, 1.5)
    event.set(3, "brain.Event:2")
    let record = EventFile.record(event.bytes)
    #expect(Array(record.prefix(8)) == [24, 0, 0, 0, 0, 0, 0, 0] && record.count == 24 + 16)
    #expect(Array(record[8..<12]) == [0xa3, 0x7f, 0x4b, 0x22])
    #expect(Array(record[12..<21]) == [0x09, 0, 0, 0, 0, 0, 0, 0xf8, 0x3f])
    #expect(Array(record[21..<36]) == [0x1a, 0x0d] + Array("brain.Event:2".utf8))
  }

  /// The name of a later file sorts after the names of earlier files, even within the same second. The later file has a
  /// session-start event at the step after the last finished step.
  @Test func filesAreInOrder() throws {
    let files = try [0, 5, 9].map { try EventFile(folder: scratch.file("b"), resumingAfter: $0) { 1000 } }
    let names = files.map { String($0.path.split(separator: "/").last!) }
    #expect(names == names.sorted() && Set(names).count == 3)
    #expect(names.allSatisfy { $0.hasPrefix("events.out.tfevents.000000100") }, "\(names)")
    let second = try Data(contentsOf: URL(filePath: files[1].path))
    // The event has the step 6 and a session log with the status START.
    #expect(second.range(of: Data([0x10, 6, 0x3a, 2, 0x08, 1])) != nil)
  }

  @Test func nothingIsWrittenBeforeAFlush() throws {
    let file = try EventFile(folder: scratch.path)
    func size() throws -> Int { try Data(contentsOf: URL(filePath: file.path)).count }
    let empty = try size()
    file.add(scalar: 1, "a", step: 1)
    #expect(try size() == empty)
    try file.flush()
    let full = try size()
    #expect(full > empty)
    try file.flush()
    #expect(try size() == full)
  }

  /// Only valid PNG files are accepted as images.
  @Test func onlyPNGFilesAreImages() throws {
    let file = try EventFile(folder: scratch.path)
    var empty = Samples.checkerboard
    empty.replaceSubrange(16..<20, with: [0, 0, 0, 0])
    for png in [[1, 2, 3], Array(Samples.checkerboard.prefix(32)), empty] {
      let error = #expect(throws: TrainingError.self) { try file.add(png: png, "no picture", step: 1) }
      #expect(error?.description.hasPrefix("no picture: not a valid PNG") == true, "\(error!)")
    }
    try file.flush()
    let before = try Data(contentsOf: URL(filePath: file.path)).count
    try file.add(png: Samples.checkerboard, "picture", step: 1)
    try file.flush()
    #expect(try Data(contentsOf: URL(filePath: file.path)).count > before + Samples.checkerboard.count)
  }

  /// The TensorBoard tags of the keys in records.
  @Test func keysOfRecords() {
    #expect(TensorBoardLog.tag(of: "loss") == "loss/step" && TensorBoardLog.tag(of: "learning_rate") == "learning_rate")
    #expect(TensorBoardLog.tag(of: "test_top5_accuracy") == "top5_accuracy/test")
    #expect(TensorBoardLog.tag(of: "train_loss") == "loss/train")
    #expect(TensorBoardLog.tag(of: "examples_per_second") == "speed/examples_per_second")
  }

  @Test func errorsNameTheFile() throws {
    let error = #expect(throws: TrainingError.self) { try EventFile(folder: "/proc/nowhere") }
    #expect(error?.description.contains("/proc/nowhere") == true)
  }

  /// Writes the files that `tensorboard_check.py` reads. If the environment variable `APUS_TENSORBOARD` is set, it
  /// names the folder of the files.
  @Test func writesWhatTheScriptReads() throws {
    let folder = ProcessInfo.processInfo.environment["APUS_TENSORBOARD"] ?? scratch.file("tensorboard")
    let log = try TensorBoardLog(folder: folder)
    for step in 1...20 { try log.write(["step": .integer(step), "epoch": 1, "loss": .number(1 / Double(step))]) }
    try log.write(
      [
        "step": 20, "epoch": 1, "train_loss": 0.25, "test_accuracy": 0.5, "seconds": 2, "examples_per_second": 1000,
        "note": "text",
      ])
    let values = (0..<1000).map { Samples.noise($0) * 4 - 1 }
    log.events.add(histogram: values, "weights", step: 20)
    try log.events.add(png: Samples.checkerboard, "pictures/checkerboard", step: 20)
    log.events.add(text: "# Configuration\n\nlearning rate **0.1** — ☃", "configuration", step: 0)
    for step in 21...40 { try log.write(["step": .integer(step), "epoch": 2, "loss": 99]) }
    try log.flush()
    // The run was stopped and resumes from a checkpoint at step 30.
    let next = try TensorBoardLog(folder: folder, resumingAfter: 30)
    for step in 31...40 { try next.write(["step": .integer(step), "epoch": 2, "loss": .number(1 / Double(step))]) }
    try next.write(["step": 40, "epoch": 2, "train_loss": 0.125, "test_accuracy": 0.75, "seconds": 4])
    try next.write(["step": 60, "epoch": 3, "train_loss": 0.0625, "test_accuracy": 0.875, "seconds": 8])
    try next.flush()
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder).count >= 2)
  }
}
