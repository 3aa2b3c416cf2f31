import ApusSystem

/// The memory limits for decoded data. They are checked before a file is decoded, or while it is read, because a file
/// of a few megabytes can expand to many gigabytes.
enum DataBudget {
  /// The maximum number of bytes of host memory for the pixels of a file, for a table, or for the batches of a loader:
  /// an eighth of the memory that the process may use. The rest leaves room for the two or three copies of the data
  /// that exist during the transfer to a device.
  static let memoryByteCount = HostMemory.byteCount / 8
  /// The maximum number of bytes of a text. Its tokens and the working memory of the tokenizer take about 30 bytes for
  /// each byte of the text.
  static let textByteCount = min(1 << 30, HostMemory.byteCount / 32)

  /// Throws if data would occupy more than `memoryByteCount`, or more memory than can be allocated now.
  /// - Parameter byteCount: the size of the data; `nil` if the size does not fit `Int`
  static func check(
    _ byteCount: Int?, of what: String, source: String, remedy: String
  ) throws(DataError) {
    let limit = memoryByteCount
    if let byteCount, byteCount <= limit, HostAllocation.isPossible(byteCount) { return }
    let size = byteCount.map { $0 <= limit ? "\($0.byteText), which is not available now" : $0.byteText }
    throw .tooLarge(
      source: source,
      reason: "\(what) need \(size ?? "too much memory"); the limit is \(limit.byteText), an eighth of the memory "
        + "that this process may use",
      remedy: remedy)
  }
}

/// The memory budget of data that grow while a file is read.
struct GrowingBudget {
  private var byteCount = 0
  private let source: String

  init(_ source: String) { self.source = source }

  /// Adds the bytes that a line of the file requires; throws if the total is above the limit.
  mutating func take(_ bytes: Int, line: Int) throws(DataError) {
    byteCount += bytes
    let limit = DataBudget.memoryByteCount
    guard byteCount > limit else { return }
    throw .tooLarge(
      source: source,
      reason:
        "the lines up to \(line) need more memory than the limit of \(limit.byteText), an eighth of the memory that "
        + "this process may use",
      remedy: "use fewer rows or columns")
  }
}
