import ApusData
import ApusReports
import ApusSystem
import Glibc
import Synchronization

/// An event file for TensorBoard: scalars, histograms, images and texts by step.
///
/// ```swift
/// let events = try EventFile(folder: "/tmp/events")
/// events.add(scalar: 0.4213, "loss/train", step: 469)
/// try events.flush()
/// ```
/// The file is a sequence of records. A record consists of the length of its data in bytes, a checksum of the length,
/// the data, and a checksum of the data (TensorFlow, `core/lib/io/record_writer`). The data are an `Event`
/// (`core/util/event.proto`).
///
/// A resumed run creates a new file in the same folder, with a name that sorts after the names of the other files. The
/// first event of a file contains the version of the format. The second is a session event, whose step is the next step
/// to run. TensorBoard ignores the events of this step and of later steps in earlier files, and the run writes them
/// again. So resuming neither reads nor truncates a file, and a file with an incomplete last record does no harm.
public final class EventFile: Sendable {
  private struct State {
    var buffer: [UInt8] = []
  }

  /// The path, which ends with `events.out.tfevents.<seconds>.<host>.<process>`.
  public let path: String
  private let file: FileDescriptor
  private let state = Mutex(State())
  private let clock: @Sendable () -> Double

  /// Creates a file in a folder, and the folder if it is missing.
  /// - Parameter step: the number of finished steps of the run; TensorBoard still shows the events of earlier files up
  ///   to and including this step.
  public convenience init(folder: String, resumingAfter step: Int = 0) throws(TrainingError) {
    try self.init(folder: folder, resumingAfter: step) { EventFile.now }
  }

  convenience init(
    folder: String, resumingAfter step: Int, clock: @escaping @Sendable () -> Double
  ) throws(TrainingError) {
    let open = try reportingTraining { try Folder(creating: folder) }
    try self.init(open, resumingAfter: step, clock: clock)
  }

  /// Creates a file in an open folder.
  init(
    _ folder: Folder, resumingAfter step: Int, clock: @escaping @Sendable () -> Double = { EventFile.now }
  ) throws(TrainingError) {
    self.clock = clock
    file = try reportingTraining { try EventFile.create(in: folder, now: clock()) }
    path = file.path
    append { $0.set(3, "brain.Event:2") }
    append {
      $0.set(2, step > 0 ? step + 1 : 0)
      // A `SessionLog` with the status `START`.
      $0.set(7) { $0.set(1, 1) }
    }
    try flush()
  }

  /// Seconds since 1970.
  static var now: Double { readSeconds(CLOCK_REALTIME) }

  /// Creates `events.out.tfevents.<seconds>.<host>.<process>`. The number of seconds is larger than in the names of all
  /// existing files, because TensorBoard reads files in the order of their names.
  private static func create(in folder: Folder, now: Double) throws(FileError) -> FileDescriptor {
    let prefix = "events.out.tfevents."
    let last = try folder.entries().compactMap { name -> Int? in
      guard name.hasPrefix(prefix) else { return nil }
      // Times of 2⁴⁰ s or more are ignored: Apus writes none, and adding 1 to the largest integer would overflow.
      return Int(name.dropFirst(prefix.count).prefix { $0.isNumber }).flatMap { $0 < 1 << 40 ? $0 : nil }
    }.max()
    var seconds = max(Int(now), (last ?? 0) &+ 1)
    for _ in 0..<1000 {
      let digits = String(seconds)
      let padded = String(repeating: "0", count: max(0, 10 - digits.count)) + digits
      do throws(FileError) {
        return try folder.file(creating: "\(prefix)\(padded).\(host).\(getpid())")
      } catch {
        guard error.code == EEXIST else { throw error }
      }
      seconds += 1
    }
    throw FileError(operation: "create", path: folder.path(of: "\(prefix)\(seconds)"), code: EEXIST)
  }

  private static var host: String {
    var name = [UInt8](repeating: 0, count: 256)
    let status = name.withUnsafeMutableBytes { gethostname($0.baseAddress!.assumingMemoryBound(to: CChar.self), 255) }
    guard status == 0 else { return "localhost" }
    let text = String(decoding: name.prefix { $0 != 0 }, as: UTF8.self)
    return String(text.map { $0.isLetter || $0.isNumber || $0 == "-" ? $0 : "-" })
  }

  // MARK: - Events

  /// Adds an event with the fields that `build` sets; the next `flush()` writes it.
  private func append(_ build: (inout ProtocolMessage) -> Void) {
    var event = ProtocolMessage()
    event.set(1, clock())
    build(&event)
    let record = EventFile.record(event.bytes)
    state.withLock { $0.buffer += record }
  }

  /// The bytes of a record.
  static func record(_ data: [UInt8]) -> [UInt8] {
    let length = withUnsafeBytes(of: UInt64(data.count).littleEndian, Array.init)
    func checksum(_ bytes: [UInt8]) -> [UInt8] {
      withUnsafeBytes(of: CRC32C.masked(bytes).littleEndian, Array.init)
    }
    return length + checksum(length) + data + checksum(data)
  }

  /// Adds an event with one summary value.
  private func append(_ tag: String, step: Int, _ build: (inout ProtocolMessage) -> Void) {
    append { event in
      event.set(2, step)
      event.set(5) { summary in
        summary.set(1) { value in
          value.set(1, tag)
          build(&value)
        }
      }
    }
  }

  /// Adds a scalar, which is stored as float32.
  /// - Parameter tag: the name of the curve; curves with the same prefix before a slash are shown together.
  public func add(scalar value: Double, _ tag: String, step: Int) {
    append(tag, step: step) { $0.set(2, choice: Float(value)) }
  }

  /// Adds an image.
  /// - Parameter png: the bytes of a PNG file.
  /// - Throws: when the bytes do not begin with the header of a PNG file, or an extent is not in `1 ... 2²⁰`.
  public func add(png: [UInt8], _ tag: String, step: Int) throws(TrainingError) {
    guard let header = PNGHeader(png), png.pngSize != nil else {
      throw .data(
        .malformed(
          path: tag, format: "PNG", location: .offset(0), reason: "it does not begin with the header of a PNG file",
          remedy: "encode it with Image.pngData()"))
    }
    append(tag, step: step) {
      $0.set(4) { image in
        image.set(1, header.height)
        image.set(2, header.width)
        image.set(3, header.channelCount)
        image.set(4, png)
      }
    }
  }

  /// Adds a text, which TensorBoard renders as Markdown.
  public func add(text: String, _ tag: String, step: Int) {
    append(tag, step: step) {
      $0.set(8) { tensor in
        // A tensor of type `DT_STRING` and shape [1].
        tensor.set(1, 7)
        tensor.set(2) { shape in shape.set(2) { $0.set(1, 1) } }
        tensor.set(8, text)
      }
      $0.set(9) { metadata in metadata.set(1) { $0.set(1, "text") } }
    }
  }

  /// Adds a histogram of numbers in bins of equal width. Numbers that are not finite or whose magnitude is at least
  /// 10¹⁰⁰ are left out.
  public func add(histogram values: [Double], _ tag: String, step: Int, bins: Int = 64) {
    let finite = values.filter { $0.isFinite && $0.magnitude < 1e100 }
    let histogram = Histogram(tag, x: Axis(tag), of: finite, bins: bins)
    append(tag, step: step) {
      $0.set(5) { proto in
        proto.set(1, finite.min() ?? 0)
        proto.set(2, finite.max() ?? 0)
        proto.set(3, Double(finite.count))
        proto.set(4, finite.reduce(0, +))
        proto.set(5, finite.reduce(0) { $0 + $1 * $1 })
        proto.set(6, packed: Array(histogram.edges.dropFirst()))
        proto.set(7, packed: histogram.counts)
      }
    }
  }

  // MARK: - The file

  /// Writes the added events.
  public func flush() throws(TrainingError) {
    try reportingTraining {
      try state.withLock { state in
        guard !state.buffer.isEmpty else { return }
        try file.checkNotRemoved()
        try file.write(state.buffer)
        state.buffer = []
      }
    }
  }
}
