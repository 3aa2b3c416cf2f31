import ApusDevice
import ApusSystem

extension Program {
  /// Returns the axis of `rows` along which the source of a plain copy is contiguous. `columns` is the innermost axis,
  /// and `rows` are the other axes. Returns `nil` if the program is not a plain copy, if the result is not contiguous
  /// along `columns`, or if the stride of the source along `columns` is not above 1. Also returns `nil` if the source
  /// is contiguous along no axis of `rows`, or if one of the two axes is too short for a transpose in registers.
  func transposedAxis(_ rows: StridedLoop, _ columns: (extent: Int, strides: [Int])) -> Int? {
    guard instructions.isEmpty, outputs.count == 1, inputs.count == 1, case .tensor(let dtype) = inputs[0],
      dtype == outputs[0].dtype, columns.strides[1] == 1, columns.strides[0] > 1, columns.extent >= 8
    else { return nil }
    return rows.strides[0].indices.first { rows.strides[0][$0] == 1 && rows.extents[$0] >= 8 }
  }
}

extension PlanLowering {
  /// Emits the copy of a source that is contiguous along axis `axis` of `rows`.
  mutating func launchTransposed(
    _ dtype: DType, _ bound: BoundProgram, _ rows: StridedLoop, _ columns: (extent: Int, strides: [Int]), axis: Int
  ) {
    guard case .tensor(let source) = bound.arguments[0] else { return }
    var batch = rows
    let extent = batch.extents.remove(at: axis)
    let strides = batch.strides.indices.map { batch.strides[$0].remove(at: axis) }
    // A work-item writes at most 256 rows of 256 bytes (64 bytes for 1-byte types, 512 bytes for 8-byte types), which
    // are whole cache lines if the result is aligned.
    let perBand = min(roundUp(columns.extent, toMultipleOf: width), dtype.byteCount == 2 ? 128 : 64)
    let perChunk = min(roundUp(extent, toMultipleOf: width), 256)
    let bands = ceilDivide(columns.extent, perBand)
    let chunks = ceilDivide(extent, perChunk)
    let lane = dtype.lane
    // 16-bit elements are copied without conversion.
    let (scalar, vector, storage) =
      dtype.byteCount == 2 ? (dtype.storage, "V_\(dtype.storage)", "word16") : (lane.scalar, lane.vector, "\(dtype)")

    var builder = KernelBuilder(family: "copy_transpose", target: target, isLarge: true)
    var template = KernelTemplate("copy/transpose.cl")
    template["source"] = builder.pointer(dtype.storage, slot: source.slot)
    template["result"] = builder.pointer(dtype.storage, slot: bound.results[0].slot, isConstant: false)
    template["T"] = scalar
    template["V"] = vector
    template["dtype"] = storage
    template["index"] = builder.index
    for (name, value) in [
      ("chunks", chunks), ("bands", bands), ("perChunk", perChunk), ("perBand", perBand), ("rows", extent),
      ("columns", columns.extent), ("sourceStride", columns.strides[0]), ("resultStride", strides[1]),
    ] {
      template[name] = builder.number(value)
    }
    let loop = BoundStridedLoop(batch, &builder)
    let bases = [source.offset, bound.results[0].offset].map { builder.number($0) }
    var offsets: [String] = []
    template["BATCH"] = builder.captured { offsets = loop.offsets(at: "row", bases: bases, &$0) }
    (template["from"], template["to"]) = (offsets[0], offsets[1])
    builder.append(template)
    let byteCount = extent * columns.extent * batch.count * dtype.byteCount
    launch(
      builder, groups: chunks * bands * batch.count,
      .part("transposed \(extent)x\(columns.extent)", read: byteCount, written: byteCount))
  }
}
