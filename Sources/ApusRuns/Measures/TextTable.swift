import ApusSystem

/// A table of text. Columns are padded with spaces to the width of their longest cell; the last column is not padded.
package struct TextTable {
  private var rows: [[String]] = []

  package init(_ titles: String...) { rows = [titles] }

  /// - Parameter cells: the texts of a row. They are shortened and escaped, because they may be names from files.
  package mutating func append(_ cells: String...) { rows.append(cells.map { $0.printable(limit: 256) }) }

  package var text: String {
    let widths = rows[0].indices.map { column in rows.map { $0[column].count }.max() ?? 0 }
    return rows.map { row in
      row.indices.map { column in
        let isLast = column == row.count - 1
        return row[column]
          + (isLast ? "" : String(repeating: " ", count: widths[column] - row[column].count + 2))
      }.joined()
    }.joined(separator: "\n")
  }
}
