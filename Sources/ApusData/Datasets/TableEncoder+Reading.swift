import ApusFiles

extension TableEncoder {
  /// Reads a table to be encoded: its columns are those of the training rows, by their names in any order.
  ///
  /// - Parameters:
  ///   - options: how the file is read; columns that are left out need not be there.
  ///   - target: the column that is predicted.
  ///   - kind: what it holds.
  ///   - needsTarget: whether it has to be there; else it is not read.
  /// - Throws: an error that names the columns, when some are missing or others are there; as `Table(path:)` besides.
  public func table(
    path: String, options given: TableOptions = TableOptions(), target: String, holding kind: Table.Kind,
    needsTarget: Bool
  ) throws(DataError) -> Table {
    var options = given
    let all = try Table.columnNames(path: path, options: options)
    options.ignored.formIntersection(all)
    let found = all.filter { !options.ignored.contains($0) }
    let wanted = columns.map(\.name) + (needsTarget ? [target] : [])
    let (have, known) = (Set(found), Set(columns.map(\.name) + [target]))
    let (missing, extra) = (wanted.filter { !have.contains($0) }, found.filter { !known.contains($0) })
    guard missing.isEmpty, extra.isEmpty else {
      var reasons: [String] = []
      if !missing.isEmpty { reasons.append("it lacks \(Self.list(missing))") }
      if !extra.isEmpty { reasons.append("the model does not know its \(Self.list(extra))") }
      throw .csv(
        path, .line(1), reasons.joined(separator: ", and "), "name a table with the columns that the model learnt from")
    }
    options.kinds = kinds
    if needsTarget {
      options.kinds[target] = kind
    } else if have.contains(target) {
      options.ignored.insert(target)
    }
    return try Table(path: path, options: options)
  }

  /// `column "a"`, `columns "a", "b"`, and of many how many more there are.
  private static func list(_ names: [String]) -> String {
    let shown = names.prefix(8).map { "\($0.quoted())" }.joined(separator: ", ")
    let rest = names.count > 8 ? " and \(names.count - 8) more" : ""
    return "\(names.count == 1 ? "column" : "columns") \(shown)\(rest)"
  }
}
