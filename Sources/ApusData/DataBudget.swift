import ApusFiles
import ApusTensor

/// The most that is made of files, checked ahead of the work: a few megabytes can stand for any number of gigabytes.
enum DataBudget {
  /// Bytes of host memory that the pixels of a file, or a table, may take: an eighth of what the process may have, since
  /// they are held twice or thrice on their way to a device.
  static let memoryByteCount = ComputeDevice.hostMemoryByteCount / 8
  /// Bytes of a text: its tokens and what tokenizers need take some thirty times as much.
  static let textByteCount = min(1 << 30, ComputeDevice.hostMemoryByteCount / 32)

  /// Refuses data that would take more than `memoryByteCount`.
  /// - Parameter byteCount: `nil` for a number that does not fit `Int`
  static func check(
    _ byteCount: Int?, of what: String, source: String, remedy: String
  ) throws(DataError) {
    let limit = memoryByteCount
    if let byteCount, byteCount <= limit, HostAllocation.isPossible(byteCount) { return }
    let size = byteCount.map { $0 <= limit ? "\($0.byteText), which is not available now" : $0.byteText }
    throw .tooLarge(
      source: source,
      reason: "\(what) take \(size ?? "more than any memory"); the limit is \(limit.byteText), an eighth of the memory "
        + "that this process may have",
      remedy: remedy)
  }
}

/// The memory of data that grow while a file is read.
struct GrowingBudget {
  private var byteCount = 0
  private let source: String

  init(_ source: String) { self.source = source }

  /// Takes some more bytes, for what stands in a line of the file.
  mutating func take(_ bytes: Int, line: Int) throws(DataError) {
    byteCount += bytes
    let limit = DataBudget.memoryByteCount
    guard byteCount > limit else { return }
    throw .tooLarge(
      source: source,
      reason:
        "up to line \(line) it takes more than \(limit.byteText) of memory, the limit: an eighth of the memory that "
        + "this process may have",
      remedy: "name fewer rows or columns")
  }
}
