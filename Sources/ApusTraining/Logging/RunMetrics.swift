import ApusData
import ApusReports
import ApusSystem

/// The metrics that a run has written: the records of its `metrics.jsonl`.
public struct RunMetrics: Sendable {
  /// The records, in the order in which they were written.
  public var records: [JSONObject]
  /// Whether the last line is incomplete: the run is writing it, or was stopped while writing. An incomplete line is
  /// left out of `records`.
  public var isCutOff: Bool

  /// Creates metrics from known records.
  public init(records: [JSONObject], isCutOff: Bool = false) {
    self.records = records
    self.isCutOff = isCutOff
  }

  /// Reads a file of one JSON object per line.
  /// - Throws: when the file cannot be read or a line is not a JSON object; the error names the first such line.
  public init(path: String) throws(DataError) {
    try self.init(reportingFiles { () throws(FileError) in try FileDescriptor(reading: path) })
  }

  /// Reads an open file, as `init(path:)` does.
  package init(_ file: FileDescriptor) throws(DataError) {
    let bytes = try reportingFiles { () throws(FileError) in try file.contents(limit: 1 << 30) }
    records = []
    let lines = bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
    isCutOff = lines.last?.isEmpty == false
    for (number, line) in lines.dropLast().enumerated() {
      func failure(_ offset: Int, _ reason: String) -> DataError {
        .malformed(
          path: file.path, format: "JSON Lines", location: .offset(line.startIndex + offset),
          reason: "line \(number + 1): \(reason)",
          remedy: "remove the line, or continue the run from its last checkpoint")
      }
      let value: JSON
      do throws(JSONError) {
        value = try JSON(parsing: Array(line))
      } catch {
        throw failure(error.offset, error.reason)
      }
      guard let record = value.object else { throw failure(0, "it contains no object") }
      records.append(record)
    }
  }

  /// The keys of all numeric values, in order of first occurrence.
  public var keys: [String] {
    var (known, keys): (Set<String>, [String]) = ([], [])
    for record in records {
      for (key, value) in record where value.number != nil && known.insert(key).inserted { keys.append(key) }
    }
    return keys
  }

  /// Returns a point for each record. The horizontal coordinate is the number under the key `x`, and the vertical
  /// coordinate is the number under the key `key`. Records without a number under one of these keys are left out.
  public func points(_ key: String, over x: String = "step") -> [LineChart.Point] {
    records.compactMap { record in
      guard let position = record[x]?.number, let value = record[key]?.number else { return nil }
      return LineChart.Point(x: position, y: value)
    }
  }

  /// The last number under a key; `nil` if there is none.
  public func last(_ key: String) -> Double? {
    records.last { $0[key]?.number != nil }?[key]?.number
  }
}
