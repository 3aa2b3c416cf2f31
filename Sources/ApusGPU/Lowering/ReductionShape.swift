import ApusDevice

/// How a reduction is cut up. Everything follows from the shape.
struct ReductionShape {
  /// All kept axes, of the prologue's arrays and the epilogue's together.
  var kept: Walk
  /// The kept axes but the innermost, and the innermost.
  var rows: Walk
  var columns: (extent: Int, strides: [Int])
  /// The reduced axes; of a reduction along the innermost axis without that one.
  var reduced: Walk
  /// The innermost reduced axis of a reduction along the innermost axis.
  var inner: (extent: Int, strides: [Int])
  /// Whether the innermost axis is reduced: a kernel then walks along it, else across it.
  var isAlong: Bool
  /// How many parts the reduced elements are cut into.
  var parts = 1
  /// On a GPU: the work-items of a result, where the innermost axis is reduced: a group, or a sub-group for few elements.
  var itemsPerOutput = 256
  /// On a CPU, across the innermost axis: vectors of results that a work-item holds at a time.
  var vectors = 1
  /// How many arrays the prologue walks; the epilogue's follow.
  var prologueCount: Int

  var outputCount: Int { rows.count * columns.extent }
  var reducedCount: Int { reduced.count * inner.extent }

  init(_ step: Reduction, prologue: [Layout], epilogue: [Layout]) {
    let keptAxes = (0..<step.domain.rank).filter { !step.axes.contains($0) }
    // An epilogue walks the kept axes only.
    kept = Walk(prologue + epilogue, shape: step.domain, axes: keptAxes)
    rows = kept
    columns = rows.removeLast()
    reduced = Walk(prologue, shape: step.domain, axes: step.axes)
    let last = (0..<step.domain.rank).last { step.domain[$0] != 1 }
    isAlong = last.map(step.axes.contains) ?? true
    inner = (1, prologue.map { _ in 0 })
    if isAlong { inner = reduced.removeLast() }
    prologueCount = prologue.count
  }

  func prologueWalk(_ walk: Walk) -> Walk { walk.keeping(0..<prologueCount) }
  func epilogueWalk(_ walk: Walk) -> Walk { walk.keeping(prologueCount..<walk.strides.count) }

  var prologueColumns: (extent: Int, strides: [Int]) {
    (columns.extent, Array(columns.strides[..<prologueCount]))
  }
  var epilogueColumns: (extent: Int, strides: [Int]) {
    (columns.extent, Array(columns.strides[prologueCount...]))
  }

  /// Treats the innermost reduced axis as any other: each work-item then reduces all by itself.
  mutating func walkAcross() {
    reduced.append(inner)
    inner = (1, inner.strides.map { _ in 0 })
    isAlong = false
  }
}
