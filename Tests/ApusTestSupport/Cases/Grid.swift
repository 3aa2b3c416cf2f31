import Apus

/// An array of `Double` with a shape, accessed by index, for scalar reference implementations.
public struct Grid: Sendable {
  public var shape: Shape
  public var values: [Double]

  public init(_ shape: Shape, _ values: [Double]) {
    precondition(values.count == shape.elementCount)
    (self.shape, self.values) = (shape, values)
  }

  /// The grid of `element(index)` for every index.
  public init(_ shape: Shape, _ element: ([Int]) -> Double) {
    self.init(shape, Grid.indices(shape).map(element))
  }

  /// Every index of a shape, row-major.
  public static func indices(_ shape: Shape) -> [[Int]] {
    var list: [[Int]] = [[]]
    for extent in shape { list = list.flatMap { start in (0..<extent).map { start + [$0] } } }
    return list
  }

  public subscript(_ index: [Int]) -> Double {
    get { values[place(index)] }
    set { values[place(index)] = newValue }
  }

  public subscript(_ index: Int...) -> Double { self[index] }

  private func place(_ index: [Int]) -> Int {
    precondition(index.count == shape.rank)
    return zip(index, shape).reduce(0) {
      precondition($1.0 >= 0 && $1.0 < $1.1, "\(index) is outside of \(shape)")
      return $0 * $1.1 + $1.0
    }
  }

  public var rank: Int { shape.rank }

  public func map(_ function: (Double) -> Double) -> Grid { Grid(shape, values.map(function)) }

  /// The element that broadcasting reads at an index of the broadcast shape, whose rank is the same or higher.
  public func spread(_ index: [Int]) -> Double {
    let own = Array(index.suffix(rank))
    return self[own.indices.map { shape[$0] == 1 ? 0 : own[$0] }]
  }

  /// Broadcasts the grids, and applies a function to their elements at each index.
  public static func combined(_ grids: [Grid], _ function: ([Double]) -> Double) -> Grid {
    let rank = grids.map(\.rank).max() ?? 0
    let shape = Shape(
      (0..<rank).map { axis in
        let extents = grids.compactMap { grid -> Int? in
          let own = axis - (rank - grid.rank)
          return own < 0 ? nil : grid.shape[own]
        }
        return extents.contains(0) ? 0 : extents.max()!
      })
    return Grid(shape) { index in function(grids.map { $0.spread(index) }) }
  }

  /// Applies a function to each list of elements whose indices differ only in `axes`. The elements of a list are in
  /// row-major order.
  public func reduced(_ axes: [Int], keeping: Bool = false, _ function: ([Double]) -> Double) -> Grid {
    var kept = shape
    for axis in axes { kept[axis] = 1 }
    var lists = Array(repeating: [Double](), count: kept.elementCount)
    for (number, index) in Grid.indices(shape).enumerated() {
      var target = 0
      for axis in 0..<rank { target = target * kept[axis] + (axes.contains(axis) ? 0 : index[axis]) }
      lists[target].append(values[number])
    }
    let result = keeping ? kept : Shape((0..<rank).filter { !axes.contains($0) }.map { shape[$0] })
    return Grid(result, lists.map(function))
  }

  /// Applies a function to each line along `axis`. All results must have the same length, which may differ from the
  /// extent of the axis.
  ///
  /// - Parameter count: the length of the results if there are no lines; `nil` for the extent of the axis.
  public func lines(_ axis: Int, count: Int? = nil, _ function: ([Double]) -> [Double]) -> Grid {
    var unit = shape
    unit[axis] = 1
    var result: [[Int]: Double] = [:]
    var length = 0
    for start in Grid.indices(unit) {
      let line = (0..<shape[axis]).map { place -> Double in
        var index = start
        index[axis] = place
        return self[index]
      }
      let output = function(line)
      length = output.count
      for (place, value) in output.enumerated() {
        var index = start
        index[axis] = place
        result[index] = value
      }
    }
    var target = shape
    target[axis] = unit.elementCount == 0 ? count ?? shape[axis] : length
    return Grid(target) { result[$0]! }
  }

  /// The elements in row-major order with another shape.
  public func reshaped(_ shape: Shape) -> Grid { Grid(shape, values) }
}
