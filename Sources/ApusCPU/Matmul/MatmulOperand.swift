import ApusDevice
import ApusCSIMD
import ApusSystem

/// The layout of a matrix in memory: row-major, or column-major (transposed).
struct MatrixOrder {
  var isTransposed: Bool
  /// The row stride, or the column stride of a transposed matrix.
  var leading: Int

  /// The layout of the transposed matrix in the same memory.
  var transposed: MatrixOrder { MatrixOrder(isTransposed: !isTransposed, leading: leading) }
  /// The distances, in elements, between neighboring rows and between neighboring columns.
  var strides: (row: Int, column: Int) { isTransposed ? (1, leading) : (leading, 1) }
}

/// One factor of a product. If its elements are stored in the type of the arithmetic (the lane), they are read in
/// place. Otherwise they are first converted to this type, into the shared memory.
struct MatmulOperand {
  let order: MatrixOrder
  let sharedByteCount: Int
  private let operand: Operand
  private let batch: Shape
  private let rows: Int
  private let columns: Int
  private let isConverted: Bool
  private let load: csimd_load
  private let dtype: DType
  private let sharedOffset: Int
  /// Whether all products of the batch read the same matrix.
  let isRepeated: Bool

  /// - Parameter sharedOffset: the offset of a converted matrix in the shared memory.
  init(
    _ operand: Operand, rows: Int, columns: Int, _ step: Matmul,
    _ builder: StepBuilder, at sharedOffset: Int
  ) {
    self.operand = operand
    (self.rows, self.columns) = (rows, columns)
    let batch = step.batch
    self.batch = batch
    dtype = step.dtype
    self.sharedOffset = sharedOffset
    load = csimd_find_load(builder.loops, Int32(step.dtype.rawValue))
    let strides = operand.layout.strides
    let (rowStride, columnStride) = (strides[batch.rank], strides[batch.rank + 1])
    let isTransposed = columnStride != 1 && columns > 1 && !(rows > 1 && rowStride != 1)
    isConverted = !step.dtype.isLane
    isRepeated = (0..<batch.rank).allSatisfy { batch[$0] == 1 || strides[$0] == 0 }
    let width = isTransposed ? rows : columns
    let natural = isTransposed ? columnStride : rowStride
    let lines = isTransposed ? columns : rows
    order = MatrixOrder(
      isTransposed: isTransposed, leading: max(1, isConverted || lines <= 1 ? width : natural))
    let copies = isRepeated ? 1 : batch.elementCount
    sharedByteCount = isConverted ? roundUp(copies * rows * columns * step.dtype.lane.byteCount, toMultipleOf: 64) : 0
  }

  /// The layout of one matrix that contains the rows of all matrices of the batch; `nil` if these rows are not
  /// contiguous, are not equally spaced, or overlap.
  var stackedOrder: MatrixOrder? {
    if isConverted { return isRepeated || order.isTransposed ? nil : order }
    let strides = operand.layout.strides
    guard columns == 1 || strides[batch.rank + 1] == 1 else { return nil }
    var (leading, count): (Int?, Int) = (rows > 1 ? strides[batch.rank] : nil, rows)
    for axis in (0..<batch.rank).reversed() where batch[axis] > 1 {
      let expected = leading.map { $0 * count } ?? strides[axis]
      guard strides[axis] == expected else { return nil }
      if leading == nil { leading = strides[axis] }
      count *= batch[axis]
    }
    guard let leading, leading >= columns else { return nil }
    return MatrixOrder(isTransposed: false, leading: leading)
  }

  /// The address from which `position` counts elements.
  func base(_ context: borrowing RunContext) -> UnsafeMutableRawPointer {
    isConverted ? context.shared + sharedOffset : context.address(operand.value)
  }

  /// The position of an element of matrix number `index` of the batch, counted in elements from the address `base`.
  func position(_ index: Int, row: Int, column: Int) -> Int {
    let inside = row * order.strides.row + column * order.strides.column
    if isConverted { return (isRepeated ? 0 : index) * rows * columns + inside }
    return origin(index) + inside
  }

  /// The position of the first element of a matrix of the batch, in the operand's value.
  private func origin(_ index: Int) -> Int {
    var (rest, result) = (index, operand.layout.offset)
    for axis in (0..<batch.rank).reversed() {
      result += rest % batch[axis] * operand.layout.strides[axis]
      rest /= batch[axis]
    }
    return result
  }

  /// Converts the matrices into the shared memory, line by line; a line is a row, or a column of transposed matrices.
  func convert(_ context: borrowing RunContext) {
    guard isConverted else { return }
    let source = context.address(operand.value)
    let target = context.shared + sharedOffset
    let (lines, width) = order.isTransposed ? (columns, rows) : (rows, columns)
    let strides = operand.layout.strides
    let lineStride = strides[batch.rank + (order.isTransposed ? 1 : 0)]
    let elementStride = strides[batch.rank + (order.isTransposed ? 0 : 1)]
    let copies = isRepeated ? 1 : batch.elementCount
    let grain = max(1, TaskLimits.elementCount / max(1, width))
    let isDense = elementStride == 1 && lineStride == width
    context.pool.run(ceilDivide(copies * lines, grain)) { task, _ in
      var line = task * grain
      let end = min(line + grain, copies * lines)
      while line < end {
        // Contiguous lines are converted in one call.
        let count = isDense ? min(end, (line / lines + 1) * lines) - line : 1
        let start = origin(line / lines) + line % lines * lineStride
        load(
          count * width, target + line * width * dtype.lane.byteCount, source + start * dtype.byteCount,
          elementStride)
        line += count
      }
    }
  }
}
