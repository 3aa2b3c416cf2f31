import ApusDevice

extension Lane {
  /// The entry for this arithmetic type in a table that has the order of the cases of `Lane`.
  func entry<T>(of table: (T?, T?, T?, T?)) -> T {
    switch self {
    case .int32: table.0!
    case .int64: table.1!
    case .float32: table.2!
    case .float64: table.3!
    }
  }

  /// The entry for `float32` or `float64` in a table of these two types.
  func entry<T>(of table: (T?, T?)) -> T {
    precondition(self == .float32 || self == .float64, "there are no loops for \(self)")
    return self == .float32 ? table.0! : table.1!
  }
}
