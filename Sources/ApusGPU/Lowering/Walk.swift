import ApusDevice

/// How several arrays are walked together over some axes: the extents, outermost first, and the strides
/// of each array.
struct Walk {
  var extents: [Int] = []
  /// For each array, parallel to `extents`.
  var strides: [[Int]]

  /// The walk over `axes` of arrays of the same shape, with axes merged that all arrays walk as one and
  /// axes of extent 1 left out. The row-major order is kept.
  init(_ layouts: [Layout], shape: Shape, axes: some Sequence<Int>) {
    strides = layouts.map { _ in [] }
    for axis in axes where shape[axis] != 1 {
      let isMergeable =
        !extents.isEmpty
        && layouts.indices.allSatisfy { strides[$0].last! == layouts[$0].strides[axis] * shape[axis] }
      if isMergeable {
        extents[extents.count - 1] *= shape[axis]
        for index in layouts.indices {
          strides[index][extents.count - 1] = layouts[index].strides[axis]
        }
      } else {
        extents.append(shape[axis])
        for index in layouts.indices { strides[index].append(layouts[index].strides[axis]) }
      }
    }
  }

  var rank: Int { extents.count }
  var count: Int { extents.reduce(1, *) }

  /// Takes the innermost axis off; its extent and strides (1 and zeros for a walk of rank 0).
  mutating func removeLast() -> (extent: Int, strides: [Int]) {
    guard let extent = extents.popLast() else { return (1, strides.map { _ in 0 }) }
    let last = strides.map { $0.last! }
    for index in strides.indices { strides[index].removeLast() }
    return (extent, last)
  }

  /// Puts an axis inside all others.
  mutating func append(_ axis: (extent: Int, strides: [Int])) {
    extents.append(axis.extent)
    for index in strides.indices { strides[index].append(axis.strides[index]) }
  }

  /// The walk of some of the arrays.
  func keeping(_ arrays: Range<Int>) -> Walk {
    var walk = self
    walk.strides = Array(strides[arrays])
    return walk
  }

  /// The largest distance from the first element of any array.
  var reach: Int {
    strides.map { row in zip(row, extents).reduce(0) { $0 + abs($1.0) * max($1.1 - 1, 0) } }.max() ?? 0
  }
}

/// A walk whose numbers a kernel holds in variables.
struct BoundWalk {
  let extents: [String]
  let strides: [[String]]

  init(_ walk: Walk, _ builder: inout KernelBuilder) {
    // The outermost extent is never needed to take a number apart.
    extents = walk.extents.indices.map { $0 == 0 ? "" : builder.number(walk.extents[$0]) }
    strides = walk.strides.map { row in row.map { builder.number($0) } }
  }

  /// Emits variables with the offsets of all arrays at row-major position `position`, each on top of its
  /// entry of `bases`; returns their names.
  func offsets(at position: String, bases: [String], _ builder: inout KernelBuilder) -> [String] {
    guard !extents.isEmpty else { return bases }
    var coordinates = [String](repeating: position, count: extents.count)
    var rest = position
    for axis in extents.indices.dropFirst().reversed() {
      let quotient = builder.unique("q")
      coordinates[axis] = builder.unique("c")
      builder.line("const \(builder.index) \(quotient) = \(rest) / \(extents[axis]);")
      builder.line(
        "const \(builder.index) \(coordinates[axis]) = \(rest) - \(quotient) * \(extents[axis]);")
      rest = quotient
    }
    coordinates[0] = rest
    return bases.indices.map { array in
      let name = builder.unique("o")
      let terms = zip(coordinates, strides[array]).map { "\($0) * \($1)" }
      builder.line(
        "const \(builder.index) \(name) = \(([bases[array]] + terms).joined(separator: " + "));")
      return name
    }
  }
}

/// How consecutive elements of an array lie along the innermost axis of a kernel. It decides which load
/// or store stands in the text.
enum ColumnStride: Hashable {
  case zero, unit
  case other(String)

  init(_ stride: Int, extent: Int, _ builder: inout KernelBuilder) {
    switch stride {
    case 0: self = .zero
    case 1: self = .unit
    default: self = extent == 1 ? .unit : .other(builder.number(stride))
    }
  }
}
