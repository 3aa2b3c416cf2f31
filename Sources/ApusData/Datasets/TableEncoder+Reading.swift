import ApusSystem

extension TableEncoder {
  /// Reads a table to encode; it must have the columns of the training table, in any order.
  ///
  /// - Parameters:
  ///   - options: how the file is read. The kinds of the training columns replace `options.kinds`. Ignored columns need
  ///     not exist.
  ///   - target: the name of the target column.
  ///   - targetKind: how the target's cells are read; has no effect if `needsTarget` is `false`.
  ///   - needsTarget: whether the target column must exist; if `false`, it may be missing, and is ignored if present.
  /// - Throws: an error that names the missing or extra columns; also the errors of `Table(path:)`.
  public func table(
    path: String, options: TableOptions = TableOptions(), target: String, holding targetKind: Table.Kind,
    needsTarget: Bool
  ) throws(DataError) -> Table {
    var options = options
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
        path, .line(1), reasons.joined(separator: ", and "), "use a table with the columns of the training table")
    }
    options.kinds = kinds
    if needsTarget {
      options.kinds[target] = targetKind
    } else if have.contains(target) {
      options.ignored.insert(target)
    }
    return try Table(path: path, options: options)
  }

  /// Lists names for an error: `column "a"`, `columns "a", "b"`; names beyond the eighth are only counted.
  private static func list(_ names: [String]) -> String {
    let shown = names.prefix(8).map { "\($0.quoted())" }.joined(separator: ", ")
    let rest = names.count > 8 ? " and \(names.count - 8) more" : ""
    return "\(names.count == 1 ? "column" : "columns") \(shown)\(rest)"
  }
}
