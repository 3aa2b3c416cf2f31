import ApusDevice

/// A matrix, or a batch of matrices, in the memory block with the index `slot`.
struct Matrix {
  var slot: Int
  var offset: Int
  /// The strides of the batch axes.
  var batch: [Int]
  var rowStride: Int
  var columnStride: Int
}

extension Matrix {
  init(_ operand: Operand, _ location: MemoryLocation, rank: Int) {
    slot = location.slot
    offset = location.offset
    batch = Array(operand.layout.strides[0..<rank])
    rowStride = operand.layout.strides[rank]
    columnStride = operand.layout.strides[rank + 1]
  }
}

extension PlanLowering {
  mutating func lower(_ step: Matmul) {
    guard step.batch.elementCount * step.m * step.n > 0 else { return }
    if isSums(step) {
      lowerSums(step)
    } else if isCPU {
      lowerVector(step)
    } else if let format = matrixFormat(of: step) {
      lowerMatrix(step, format)
    } else {
      lowerTiled(step)
    }
  }

  /// Fills in `$ROW` and `$EPILOGUE` of the template of a matrix product; see `fillEpilogue`. A row is the last axis.
  func epilogue(
    _ step: Matmul, _ template: inout KernelTemplate, _ builder: inout KernelBuilder, core: String = "core"
  ) {
    fillEpilogue(step.epilogue, &template, &builder, cores: [core])
  }

  func batchOffsets(
    _ left: Matrix, _ right: Matrix, _ batch: Shape, at index: String = "batch", _ template: inout KernelTemplate,
    _ builder: inout KernelBuilder
  ) {
    let layouts = [left, right].map { Layout(shape: batch, strides: Shape($0.batch)) }
    let bases = [left, right].map { builder.number($0.offset) }
    let loop = BoundStridedLoop(StridedLoop(layouts, shape: batch, axes: 0..<batch.rank), &builder)
    var offsets: [String] = []
    template["BATCH"] = builder.captured { builder in
      offsets = loop.offsets(at: index, bases: bases, &builder)
    }
    template["leftOffset"] = offsets[0]
    template["rightOffset"] = offsets[1]
  }
}

// MARK: - Epilogues

extension PlanLowering {
  /// Returns the maximum offset of the arrays that an epilogue reads and writes.
  func maximumOffset(of epilogue: Epilogue) -> Int { bind(epilogue.program, epilogue.binding).maximumOffset }

  /// Whether the axes from `first` on can be merged into one axis for all arrays that an epilogue reads and writes.
  func canMerge(_ epilogue: Epilogue, from first: Int) -> Bool {
    let bound = bind(epilogue.program, epilogue.binding)
    let domain = epilogue.binding.domain
    return StridedLoop(bound.layouts, shape: domain, axes: first..<domain.rank).rank <= 1
  }

  /// Fills in the code of an epilogue (the elementwise operations that are fused into the step): `$ROW`, the code for
  /// each row, and `$EPILOGUE`, the code for each vector register. A row consists of the last axes of the result. The
  /// template defines three variables: `output`, the index of the row, row-major over the axes before the last ones;
  /// `column`, the first column that a register holds; and `count`, the number of these columns.
  ///
  /// - Parameter mergingFrom: the first axis of a row, if `canMerge` holds for this axis. Otherwise, or if it is `nil`,
  ///   a row is the last axis.
  /// - Returns: the number of elements of a row.
  @discardableResult
  func fillEpilogue(
    _ epilogue: Epilogue, _ template: inout KernelTemplate, _ builder: inout KernelBuilder,
    cores: [String], mergingFrom: Int? = nil
  ) -> Int {
    let bound = bind(epilogue.program, epilogue.binding)
    let domain = epilogue.binding.domain
    var first = domain.rank - 1
    var inner = StridedLoop(bound.layouts, shape: domain, axes: first..<domain.rank)
    if let mergingFrom, canMerge(epilogue, from: mergingFrom) {
      (first, inner) = (mergingFrom, StridedLoop(bound.layouts, shape: domain, axes: mergingFrom..<domain.rank))
    }
    let columns = inner.removeLast()
    let rows = StridedLoop(bound.layouts, shape: domain, axes: 0..<first)
    var text = ExpressionEmitter(epilogue.program, bound, rows: rows, columns: columns, &builder)
    template["ROW"] = builder.captured { text.beginRow("output", &$0) }
    template["EPILOGUE"] = builder.captured {
      text.emit(column: "column", count: "count", cores: cores, &$0)
    }
    return columns.extent
  }
}
