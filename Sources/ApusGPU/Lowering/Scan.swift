import ApusDevice
import ApusSystem

extension PlanLowering {
  mutating func lower(_ step: Scan) {
    let lines = step.outer * step.inner
    guard lines * step.extent > 0 else { return }
    // A line is a vector along the axis. If there are few long lines, they are split into chunks to occupy the device:
    // the first launch computes the total of each chunk, the second the start value of each chunk, and the third scans
    // the chunks.
    let isSplit = lines < (isCPU ? 2 : 4096) && step.extent > 4096
    let chunkSize = isSplit ? self.chunkSize(step) : step.extent
    let chunks = ceilDivide(step.extent, chunkSize)
    if chunks > 1 {
      needWorkspace(lines * chunks * step.dtype.lane.dtype.byteCount)
      launch(step, chunks: chunks, chunkSize: chunkSize, isTotals: true)
      launchCarries(step, chunks: chunks)
    }
    launch(step, chunks: chunks, chunkSize: chunkSize, isTotals: false)
  }

  /// Returns the number of elements of a chunk. A line has at most 1024 chunks, except for sums of more than 2²⁶
  /// elements. A sum is a cascade: it adds 16 terms at a time, and then 16 of these sums at a time. The size of its
  /// chunks is a power of 16, so that the sum of a chunk is one term of a level of the cascade.
  private func chunkSize(_ step: Scan) -> Int {
    guard step.isSum else { return max(512, ceilDivide(step.extent, 1024)) }
    return [1 << 8, 1 << 12].first { step.extent <= $0 << 10 } ?? 1 << 16
  }

  private var localSize: Int { isCPU ? 1 : 256 }

  /// Returns a template with the values that several kernels use. The kernel computes with vector registers if
  /// `isVector`, else with scalars.
  private func filled(
    _ file: String, _ step: Scan, chunks: Int, isVector: Bool, _ builder: inout KernelBuilder
  ) -> KernelTemplate {
    let lane = step.dtype.lane
    var template = KernelTemplate(file, lane, builder)
    let row: ElementwiseRow = step.isSum ? .add : .multiply
    template[step.isSum ? "ADD" : "MULTIPLY"] = isVector ? row.call(lane, "a, b") : row.callOnScalars(lane, "a", "b")
    template["localSize"] = String(localSize)
    template["chunks"] = builder.number(chunks)
    template["mostLevels"] = String(Scan.mostLevels)
    template["chain"] = String(Accumulators.chain)
    return template
  }

  private mutating func launch(_ step: Scan, chunks: Int, chunkSize: Int, isTotals: Bool) {
    let lane = step.dtype.lane
    var builder = KernelBuilder(family: "scan", target: target, isLarge: true)
    // If there are several columns (`inner` > 1), a work-item on a CPU scans as many adjacent columns as a register has
    // elements. Lines are not split in this case: on CPUs a line is split only if the step has no other line.
    let isVector = isCPU && step.inner > 1
    var template = filled(
      step.isSum ? "scan/sums.cl" : "scan/products.cl", step, chunks: chunks, isVector: isVector, &builder)
    let columns = isVector ? width : 1
    let blocks = ceilDivide(step.inner, columns)
    let items = step.outer * blocks * chunks
    let (source, sourceOffset) = bind(step.source, isConstant: true, &builder)
    template["T"] = isVector ? lane.vector : lane.scalar
    template["width"] = String(columns)
    template["READ"] =
      isVector
      ? "LOAD_\(step.dtype)(\(source), \(sourceOffset) + at, count)"
      : element(step.dtype, source, "\(sourceOffset) + at")
    // The offset of a line's first element in the direction of the scan, and the distance to the next element.
    template["origin"] = builder.number(step.isReversed ? (step.extent - 1) * step.inner : 0)
    template["stride"] = builder.number(step.isReversed ? -step.inner : step.inner, orTrivial: 1)
    for (name, value) in [
      ("inner", step.inner), ("blocks", blocks), ("extent", step.extent), ("chunkSize", chunkSize), ("items", items),
      ("levels", SumCascade.levels(of: chunkSize / Accumulators.chain)),
    ] {
      template[name] = builder.number(value)
    }
    template["CHUNK"] = template.with(file: "scan/chunk.cl").text
    if step.isSum { template["CARRY"] = template.with(file: "scan/carry.cl").text }
    template["start"] = step.isSum ? "0" : "1"
    template["WRITE"] = ""
    template["FINISH"] = ""
    var totals = ""
    if chunks > 1 {
      totals = builder.pointer(lane.scalar, slot: slots.workspace, isConstant: false)
    }
    if isTotals {
      template["FINISH"] = "\(totals)[item] = total;"
    } else {
      let (result, offset) = bind(step.result, isConstant: false, &builder)
      template["WRITE"] =
        step.dtype == lane.dtype && !isVector
        ? "\(result)[\(offset) + at] = value;"
        : "STORE_\(step.dtype)(\(result), \(offset) + at, \(isVector ? "count" : "1"), (\(lane.vector))(value));"
      if chunks > 1 { template["start"] = "\(totals)[item]" }
    }
    builder.append(template)
    launch(
      builder, groups: ceilDivide(items, localSize), localSize: localSize,
      isTotals
        ? .part(
          "totals", read: step.outer * step.extent * step.inner * step.dtype.byteCount,
          written: items * step.dtype.lane.dtype.byteCount)
        : .step())
  }

  private mutating func launchCarries(_ step: Scan, chunks: Int) {
    let lines = step.outer * step.inner
    var builder = KernelBuilder(family: "scan_carries", target: target, isLarge: true)
    let file = step.isSum ? "scan/sum_carries.cl" : "scan/product_carries.cl"
    var template = filled(file, step, chunks: chunks, isVector: false, &builder)
    template["totals"] = builder.pointer(step.dtype.lane.scalar, slot: slots.workspace, isConstant: false)
    template["items"] = builder.number(lines)
    template["levels"] = builder.number(SumCascade.levels(of: chunks))
    if step.isSum { template["CARRY"] = template.with(file: "scan/carry.cl").text }
    builder.append(template)
    let byteCount = lines * chunks * step.dtype.lane.dtype.byteCount
    launch(
      builder, groups: ceilDivide(lines, localSize), localSize: localSize,
      .part("carries", read: byteCount, written: byteCount))
  }

  /// Returns code that loads one element and converts it to its arithmetic type (lane).
  func element(_ dtype: DType, _ pointer: String, _ offset: String) -> String {
    dtype.lane.dtype == dtype
      ? "\(pointer)[\(offset)]" : "FIRST_\(dtype.lane.suffix)(SPLAT_\(dtype)(\(pointer), \(offset)))"
  }
}

extension Scan {
  fileprivate var isSum: Bool { combine == .sum }

  /// The maximum number of levels of a cascade, enough for lines of fewer than 2⁶⁰ elements.
  fileprivate static let mostLevels = 14
}
