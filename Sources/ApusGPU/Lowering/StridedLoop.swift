import ApusDevice

/// A joint iteration over some axes of several arrays: the extents, outermost first, and the strides of each array.
struct StridedLoop {
  var extents: [Int]
  /// For each array, parallel to `extents`.
  var strides: [[Int]]

  /// Creates the iteration over `axes` of arrays of the same shape. Axes that all arrays traverse as one axis are
  /// merged, and axes of extent 1 are left out. The row-major order is kept.
  init(_ layouts: [Layout], shape: Shape, axes: some Sequence<Int>) {
    (extents, strides) = Layout.mergedAxes(axes, of: shape, layouts)
  }

  var rank: Int { extents.count }
  var count: Int { extents.reduce(1, *) }

  /// Removes the innermost axis; returns its extent and strides (1 and zeros for an iteration of rank 0).
  mutating func removeLast() -> (extent: Int, strides: [Int]) {
    guard let extent = extents.popLast() else { return (1, strides.map { _ in 0 }) }
    let last = strides.map { $0.last! }
    for index in strides.indices { strides[index].removeLast() }
    return (extent, last)
  }

  /// Appends an innermost axis.
  mutating func append(_ axis: (extent: Int, strides: [Int])) {
    extents.append(axis.extent)
    for index in strides.indices { strides[index].append(axis.strides[index]) }
  }

  /// Returns the iteration over some of the arrays.
  func keeping(_ arrays: Range<Int>) -> StridedLoop {
    var loop = self
    loop.strides = Array(strides[arrays])
    return loop
  }

  /// The maximum distance of an element from the first element of its array.
  var reach: Int {
    strides.map { row in zip(row, extents).reduce(0) { $0 + abs($1.0) * max($1.1 - 1, 0) } }.max() ?? 0
  }
}

/// A `StridedLoop` whose extents and strides are variables of a kernel.
struct BoundStridedLoop {
  let extents: [String]
  let strides: [[String]]

  init(_ loop: StridedLoop, _ builder: inout KernelBuilder) {
    // The outermost extent is not needed to split an index into coordinates.
    extents = loop.extents.indices.map { $0 == 0 ? "" : builder.number(loop.extents[$0]) }
    strides = loop.strides.map { row in row.map { builder.number($0) } }
  }

  /// Emits a variable for each array: the array's offset at the row-major index `position`, plus the array's entry of
  /// `bases`. Returns the names of the variables. If the iteration has no axes, emits nothing and returns `bases`.
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

/// The stride of an array along the innermost axis of a kernel. It determines which load or store is emitted.
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
