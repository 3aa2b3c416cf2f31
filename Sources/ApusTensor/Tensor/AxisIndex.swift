import ApusDevice

/// One index of a subscript: an index, a range with a step, a list or tensor of indices, a new axis, or an ellipsis for
/// all axes that the other indices do not use.
///
/// Negative numbers count from the end. Ranges are clamped to the axis, as in NumPy.
public struct AxisIndex: Sendable {
  enum Kind: Sendable {
    case index(Int)
    case range(from: Int?, to: Int?, step: Int)
    case list([Int])
    case tensor(Tensor)
    case newAxis
    case ellipsis
  }

  let kind: Kind

  /// The slice at one index; the axis is removed.
  public static func at(_ index: Int) -> AxisIndex { AxisIndex(kind: .index(index)) }

  /// Every `step`-th element from `from` up to, but excluding, `to` (NumPy's `from:to:step`).
  ///
  /// - Parameter step: not 0; a negative step iterates backwards, by default from the end.
  public static func range(from: Int? = nil, to: Int? = nil, step: Int = 1) -> AxisIndex {
    AxisIndex(kind: .range(from: from, to: to, step: step))
  }

  /// The whole axis.
  public static let all = AxisIndex.range()
  /// A new axis of extent 1.
  public static let newAxis = AxisIndex(kind: .newAxis)
  /// All axes that the other indices do not use, whole.
  public static let ellipsis = AxisIndex(kind: .ellipsis)
}

/// A type that a tensor's subscript accepts: `Int`, Swift's ranges, `[Int]`, a tensor of integers and `AxisIndex`.
public protocol AxisIndexing: Sendable {
  var axisIndex: AxisIndex { get }
}

extension AxisIndexing where Self == AxisIndex {
  /// The whole axis.
  public static var all: AxisIndex { AxisIndex.all }
  /// A new axis of extent 1.
  public static var newAxis: AxisIndex { AxisIndex.newAxis }
  /// All axes that the other indices do not use, whole.
  public static var ellipsis: AxisIndex { AxisIndex.ellipsis }
  /// Every `step`-th element from `from` up to, but excluding, `to`.
  public static func range(from: Int? = nil, to: Int? = nil, step: Int = 1) -> AxisIndex {
    AxisIndex.range(from: from, to: to, step: step)
  }
}

extension AxisIndex: AxisIndexing { public var axisIndex: AxisIndex { self } }
extension [Int]: AxisIndexing { public var axisIndex: AxisIndex { AxisIndex(kind: .list(self)) } }
extension Tensor: AxisIndexing { public var axisIndex: AxisIndex { AxisIndex(kind: .tensor(self)) } }
extension Int: AxisIndexing { public var axisIndex: AxisIndex { .at(self) } }
extension Range<Int>: AxisIndexing {
  public var axisIndex: AxisIndex { .range(from: lowerBound, to: upperBound) }
}
extension Int {
  /// The next index, or `nil` for the end of the axis: −1 is the last element, but −1 + 1 would be the first one.
  fileprivate var following: Int? { self == -1 || self == .max ? nil : self + 1 }
}
extension ClosedRange<Int>: AxisIndexing {
  public var axisIndex: AxisIndex { .range(from: lowerBound, to: upperBound.following) }
}
extension PartialRangeFrom<Int>: AxisIndexing {
  public var axisIndex: AxisIndex { .range(from: lowerBound) }
}
extension PartialRangeUpTo<Int>: AxisIndexing {
  public var axisIndex: AxisIndex { .range(to: upperBound) }
}
extension PartialRangeThrough<Int>: AxisIndexing {
  public var axisIndex: AxisIndex { .range(to: upperBound.following) }
}
