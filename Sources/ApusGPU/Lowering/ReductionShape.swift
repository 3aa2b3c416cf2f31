import ApusDevice

/// How a reduction is split into loops, parts and work-items.
struct ReductionShape {
  /// All kept axes (the axes that are not reduced), for the arrays of the prologue and of the epilogue.
  var kept: StridedLoop
  /// The kept axes without the innermost.
  var rows: StridedLoop
  /// The innermost kept axis.
  var columns: (extent: Int, strides: [Int])
  /// The reduced axes, without the innermost axis if it is reduced.
  var reduced: StridedLoop
  /// The innermost axis if it is reduced, else an axis of extent 1.
  var inner: (extent: Int, strides: [Int])
  /// Whether the innermost axis is reduced: a kernel then reduces along it, else across it.
  var isAlong: Bool
  /// The number of parts that the reduced elements are split into.
  var parts = 1
  /// On a GPU, for a reduction along the innermost axis: the number of work-items per result. They are a work-group or,
  /// for few elements, a sub-group.
  var itemsPerOutput = 256
  /// On a CPU, for a reduction across the innermost axis: the number of vectors of results that a work-item computes at
  /// a time.
  var vectors = 1
  /// The number of the prologue's arrays; the epilogue's arrays follow them.
  var prologueCount: Int

  var outputCount: Int { rows.count * columns.extent }
  var reducedCount: Int { reduced.count * inner.extent }

  init(_ step: Reduction, prologue: [Layout], epilogue: [Layout]) {
    let keptAxes = (0..<step.domain.rank).filter { !step.axes.contains($0) }
    // An epilogue iterates over the kept axes only.
    kept = StridedLoop(prologue + epilogue, shape: step.domain, axes: keptAxes)
    rows = kept
    columns = rows.removeLast()
    reduced = StridedLoop(prologue, shape: step.domain, axes: step.axes)
    let last = (0..<step.domain.rank).last { step.domain[$0] != 1 }
    isAlong = last.map(step.axes.contains) ?? true
    inner = (1, prologue.map { _ in 0 })
    if isAlong { inner = reduced.removeLast() }
    prologueCount = prologue.count
  }

  func prologueLoop(_ loop: StridedLoop) -> StridedLoop { loop.keeping(0..<prologueCount) }
  func epilogueLoop(_ loop: StridedLoop) -> StridedLoop { loop.keeping(prologueCount..<loop.strides.count) }

  var prologueColumns: (extent: Int, strides: [Int]) {
    (columns.extent, Array(columns.strides[..<prologueCount]))
  }
  var epilogueColumns: (extent: Int, strides: [Int]) {
    (columns.extent, Array(columns.strides[prologueCount...]))
  }

  /// Treats the innermost axis like the other reduced axes: each work-item then computes a whole result.
  mutating func runAcross() {
    reduced.append(inner)
    inner = (1, inner.strides.map { _ in 0 })
    isAlong = false
  }
}
