import Apus
import ApusSystem

/// Groups (slices) of examples with a common property, such as `color = red`. A group contains the indices of its
/// examples in the measured split.
struct DataSlices {
  struct Slice {
    var name: String
    var examples: [Int]
  }

  /// First the groups that the file of `--slices` defines, ordered by name. Then, for each column of `--slice`, the
  /// groups that the values of this column form, ordered by value.
  package private(set) var slices: [Slice] = []

  /// - Parameters:
  ///   - path: the CSV file of `--slices`; `nil` for none.
  ///   - columns: the columns of a table that `--slice` names.
  /// - Throws: `OptionError` if the data have no such columns or cannot be grouped, `DataError` if the file is invalid.
  package init(file path: String?, columns: [String], of data: MeasuredData) throws {
    guard path != nil || !columns.isEmpty else { return }
    func refuse(_ option: String, _ reason: String) -> OptionError {
      OptionError("--\(option): \(reason)")
    }
    guard !data.format.isLanguage else {
      throw refuse(path == nil ? "slice" : "slices", "a language model has no examples to group")
    }
    if let path { slices += try DataSlices.read(path, data) }
    for name in columns {
      guard let (features, rows) = data.table else {
        throw refuse("slice \(name)", "only tables have columns, but \(data.source) is \(data.format.examplesName)")
      }
      guard let column = features[name] else {
        let known = features.columns.map(\.name)
        throw refuse("slice \(name)", "there is no such column" + suggestion(for: name, in: known))
      }
      slices += DataSlices.groups(of: column, rows)
    }
  }

  // MARK: - Files

  /// Reads groups from a file. The column `example` or `name` of a row says which example the row is about. Each value
  /// in another column puts this example in the group `COLUMN = VALUE`.
  private static func read(_ path: String, _ data: MeasuredData) throws(DataError) -> [Slice] {
    let reader = try CSVReader(path: path)
    func malformed(_ line: Int, _ reason: String) -> DataError {
      .malformed(
        path: path, format: "CSV", location: .line(line), reason: reason,
        remedy: "use a file with a column \"example\" (numbers from 0) or \"name\", as apus errors writes it, and with "
          + "columns to group by")
    }
    let header = try reader.next()?.fields ?? []
    guard let key = header.firstIndex(of: "example") ?? header.firstIndex(of: "name") else {
      throw malformed(1, "the first line has neither a column \"example\" nor a column \"name\"")
    }
    let (isNumbered, numbers, count) = (header[key] == "example", numbers(of: data.names ?? []), data.examples.count)
    var (members, unmatchedCount): ([String: Set<Int>], Int) = ([:], 0)
    while let (fields, line) = try reader.next() {
      guard fields.count == header.count else {
        throw malformed(line, "it has \(fields.count.text(of: "field")), but the first line has \(header.count)")
      }
      let field = fields[key]
      let found = isNumbered ? Int(field).flatMap { 0..<count ~= $0 ? [$0] : nil } : numbers[field]
      if found == nil, isNumbered { throw malformed(line, "\(field.quoted()) is not a number from 0 to \(count - 1)") }
      if found == nil { unmatchedCount += 1 }
      for (title, value) in zip(header, fields) where title != "example" && title != "name" && !value.isEmpty {
        members["\(title) = \(value)", default: []].formUnion(found ?? [])
      }
    }
    if unmatchedCount > 0 {
      Diagnostics.write("\(path): left out \(unmatchedCount.text(of: "row")) without a measured example")
    }
    let slices = members.filter { !$0.value.isEmpty }.sortedArray { $0.key < $1.key }
    guard !slices.isEmpty else { throw malformed(1, "it groups none of the \(count) examples") }
    return slices.map { Slice(name: $0.key, examples: $0.value.sorted()) }
  }

  /// For each name, the indices of the examples with this name. If a name is a path, its last component is also a name
  /// of the example, unless another path has the same last component.
  private static func numbers(of names: [String]) -> [String: [Int]] {
    func grouped(_ names: [String]) -> [String: [Int]] {
      Dictionary(grouping: names.indices) { names[$0] }
    }
    let files = grouped(names.map { String($0.split(separator: "/").last ?? "") }).filter { $0.value.count == 1 }
    return grouped(names).merging(files) { whole, _ in whole }
  }

  // MARK: - Columns of tables

  private static func groups(of column: Table.Column, _ rows: [Int32]) -> [Slice] {
    switch column.values {
    case .categories(let codes, let names):
      let groups = Dictionary(grouping: rows.indices) { codes[Int(rows[$0])] }.sortedArray { $0.key < $1.key }
      return groups.map { code, examples in
        Slice(name: code < 0 ? "\(column.name) missing" : "\(column.name) = \(names[Int(code)])", examples: examples)
      }
    case .numbers(let numbers): return groups(column.name, rows.map { numbers[Int($0)] })
    }
  }

  /// Groups by value, or by quartile if there are more than four different values.
  private static func groups(_ name: String, _ values: [Double]) -> [Slice] {
    let present = values.indices.filter { !values[$0].isNaN }
    let sorted = present.map { values[$0] }.sorted()
    let isFew = Set(sorted).count <= 4
    let quartiles = sorted.isEmpty ? [] : (1...3).map { sorted[sorted.count * $0 / 4] }
    // Equal numbers are always in one group, which may therefore have more than a quarter of the examples.
    let groups = Dictionary(grouping: present) { example in
      isFew ? values[example] : Double(quartiles.count { $0 <= values[example] })
    }
    var slices = groups.sortedArray { $0.key < $1.key }.map { _, examples -> Slice in
      let own = examples.map { values[$0] }
      let (least, largest) = ((own.min() ?? 0).shortText, (own.max() ?? 0).shortText)
      return Slice(name: "\(name) = " + (least == largest ? least : "\(least) to \(largest)"), examples: examples)
    }
    let missing = values.indices.filter { values[$0].isNaN }
    if !missing.isEmpty { slices.append(Slice(name: "\(name) missing", examples: missing)) }
    return slices
  }
}
