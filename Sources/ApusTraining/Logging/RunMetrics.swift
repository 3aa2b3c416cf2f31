import ApusData
import ApusFiles

/// What a run has written of itself: the records of its `metrics.jsonl`.
public struct RunMetrics: Sendable {
  /// The records, in the order in which they were written.
  public var records: [JSONObject]
  /// Whether the last line has no end: the run writes it now, or was stopped while it did. The line is left out.
  public var isCutOff: Bool

  /// Records that are known.
  public init(records: [JSONObject], isCutOff: Bool = false) {
    self.records = records
    self.isCutOff = isCutOff
  }

  /// Reads a file of one JSON object a line.
  /// - Throws: an error that names the line, where one is no JSON object.
  public init(path: String) throws(DataError) {
    try self.init(reportingFiles { () throws(FileError) in try FileDescriptor(reading: path) })
  }

  /// Reads an open file, as `init(path:)`.
  package init(_ file: FileDescriptor) throws(DataError) {
    let bytes = try reportingFiles { () throws(FileError) in try file.contents(limit: 1 << 30) }
    records = []
    let lines = bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
    isCutOff = lines.last?.isEmpty == false
    for (number, line) in lines.dropLast().enumerated() {
      func failure(_ offset: Int, _ reason: String) -> DataError {
        .malformed(
          path: file.path, format: "JSON Lines", place: .offset(line.startIndex + offset),
          reason: "line \(number + 1): \(reason)",
          remedy: "take the line out, or go on with the run from its last checkpoint")
      }
      let value: JSON
      do throws(JSONError) {
        value = try JSON(parsing: Array(line))
      } catch {
        throw failure(error.offset, error.reason)
      }
      guard let record = value.object else { throw failure(0, "it holds no object") }
      records.append(record)
    }
  }

  /// The keys of all numbers, in the order in which they first come.
  public var keys: [String] {
    var (known, keys): (Set<String>, [String]) = ([], [])
    for record in records {
      for (key, value) in record where value.number != nil && known.insert(key).inserted { keys.append(key) }
    }
    return keys
  }

  /// The numbers under a key, over those under another one; records that lack either are left out.
  public func points(_ key: String, over x: String = "step") -> [LineChart.Point] {
    records.compactMap { record in
      guard let place = record[x]?.number, let value = record[key]?.number else { return nil }
      return LineChart.Point(x: place, y: value)
    }
  }

  /// The last number under a key.
  public func last(_ key: String) -> Double? {
    records.last { $0[key]?.number != nil }?[key]?.number
  }
}
