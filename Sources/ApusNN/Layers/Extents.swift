import ApusTensor

/// Sizes along the spatial axes: one value for all axes, or one for each.
public struct Extents: Hashable, Sendable, ExpressibleByIntegerLiteral, ExpressibleByArrayLiteral {
  /// One value, or one for each axis.
  public var values: [Int]

  /// The same value along all axes.
  public init(_ value: Int) { values = [value] }
  /// One value for each axis.
  public init(_ values: [Int]) { self.values = values }
  public init(integerLiteral value: Int) { values = [value] }
  public init(arrayLiteral elements: Int...) { values = elements }

  /// One value for each of `rank` axes.
  /// - Precondition: there are 1 or `rank` values.
  func spread(_ rank: Int, _ name: String) -> [Int] {
    guard values.count == 1 || values.count == rank else {
      fatalError("\(name): \(values) must be one number or \(rank) numbers")
    }
    return values.count == rank ? values : Array(repeating: values[0], count: rank)
  }
}

/// The number of padding elements around the spatial axes.
public enum Padding: Hashable, Sendable, ExpressibleByIntegerLiteral, ExpressibleByArrayLiteral {
  /// The same number before and after an axis: one value for all axes, or one for each.
  case each(Extents)
  /// The number of elements that preserves the size of the input at stride 1, half of them before and half of them
  /// after an axis. If the number is odd, one more comes after the axis than before it.
  case same
  /// Different numbers before and after an axis. Each list has one value for all axes, or one value for each axis.
  case sides(before: [Int], after: [Int])

  public init(integerLiteral value: Int) { self = .each(Extents(value)) }
  public init(arrayLiteral elements: Int...) { self = .each(Extents(elements)) }

  /// The numbers of elements before and after each of `rank` axes.
  func amounts(_ rank: Int, kernel: [Int], dilation: [Int], _ name: String) -> [(before: Int, after: Int)] {
    switch self {
    case .each(let extents): return extents.spread(rank, name).map { ($0, $0) }
    case .same:
      return zip(kernel, dilation).map { size, step in
        let total = WindowPositions.span(kernel: size, dilation: step) - 1
        return (total / 2, total - total / 2)
      }
    case .sides(let before, let after):
      return Array(zip(Extents(before).spread(rank, name), Extents(after).spread(rank, name)))
        .map { (before: $0.0, after: $0.1) }
    }
  }
}
