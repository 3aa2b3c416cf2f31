import ApusDevice

extension PlanLowering {
  /// A segment of the step: a shape (the domain) with arrays of this shape. It is divided into the rows and columns
  /// that a kernel iterates over.
  private struct Segment {
    var bound: BoundProgram
    var rows: StridedLoop
    var columns: (extent: Int, strides: [Int])
    var elementCount: Int
    /// The number of neighboring elements that a work-item processes at a time.
    var chunk: Int

    /// The properties that the kernel source depends on.
    var signature: [Int] {
      [rows.rank, chunk] + columns.strides.map { $0 == 0 ? 0 : $0 == 1 || columns.extent == 1 ? 1 : 2 }
    }

    /// Whether indices need more than 32 bits.
    var isLarge: Bool {
      let step = columns.strides.map(abs).max() ?? 0
      return KernelBuilder.isLarge(elementCount + bound.maximumOffset + rows.reach + step * columns.extent)
    }
  }

  /// The maximum number of segments per launch. A kernel for several segments always has room for this number of
  /// segments, or for as many as `pointerLimit` allows. So, for example, optimizer steps for different numbers of
  /// parameters share a kernel.
  private static let segmentLimit = 8
  /// The maximum number of pointers per kernel: some devices accept only 1 KiB of arguments.
  private static let pointerLimit = 100
  /// The number of elements per work-group or, on a CPU, per work-item.
  var elementsPerGroup: Int { isCPU ? 8192 : 1024 }

  mutating func lower(_ step: Elementwise) {
    lower(step.program, step.segments.map { (bind(step.program, $0), $0.domain) })
  }

  /// Lowers a program (straight-line elementwise code) over several domains, each with its own arrays.
  mutating func lower(_ program: Program, _ bindings: [(bound: BoundProgram, domain: Shape)]) {
    var groups: [[Int]: [Segment]] = [:]
    var order: [[Int]] = []
    for (bound, domain) in bindings where domain.elementCount > 0 {
      var rows = StridedLoop(bound.layouts, shape: domain, axes: 0..<domain.rank)
      let columns = rows.removeLast()
      let segment = Segment(
        bound: bound, rows: rows, columns: columns, elementCount: domain.elementCount,
        chunk: isCPU ? 1 : program.chunk(bound, rows, columns, elementCount: domain.elementCount))
      if isCPU, let axis = program.transposedAxis(rows, columns) {
        launchTransposed(program.outputs[0].dtype, bound, rows, columns, axis: axis)
        continue
      }
      if groups[segment.signature] == nil { order.append(segment.signature) }
      groups[segment.signature, default: []].append(segment)
    }
    let all = bindings.reduce(0) { $0 + $1.domain.elementCount }
    for signature in order {
      let segments = groups[signature]!
      let pointers = max(segments[0].bound.layouts.count, 1)
      let size = segments.count == 1 ? 1 : max(1, min(Self.segmentLimit, Self.pointerLimit / pointers))
      for start in stride(from: 0, to: segments.count, by: size) {
        let some = Array(segments[start..<min(start + size, segments.count)])
        let share = Double(some.reduce(0) { $0 + $1.elementCount }) / Double(all)
        launch(program, some, size: size, share: share)
      }
    }
  }

  /// Emits one launch over segments of the same structure, with a kernel for `size` segments.
  /// - Parameter share: the fraction of the step's elements that `segments` contain.
  private mutating func launch(_ program: Program, _ segments: [Segment], size: Int, share: Double) {
    let isLarge = segments.contains(where: \.isLarge)
    var starts: [Int64] = []
    var offsets: [Int64] = []
    var numbers: [Int64] = []
    var groups = 0
    var builders: [KernelBuilder] = []
    for segment in segments {
      starts.append(Int64(groups))
      offsets.append(Int64(2 * size + numbers.count))
      var builder = KernelBuilder(family: "elementwise", target: target, isLarge: isLarge)
      beginSegments(size, &builder)
      groups += emit(program, segment, size: size, &builder)
      numbers += builder.numbers
      builders.append(builder)
    }
    let pad = size - segments.count
    let header =
      size == 1
      ? []
      : starts + Array(repeating: Int64.max, count: pad) + offsets + Array(repeating: 0, count: pad)
    let bound = builders[0].pointers.enumerated().flatMap { index, pointer in
      pointer.isCommon || size == 1
        ? [pointer.slot]
        : (0..<size).map { builders[min($0, builders.count - 1)].pointers[index].slot }
    }
    launch(
      builders[0], slots: bound, numbers: header + numbers, groups: groups, localSize: isCPU ? 1 : 256,
      .step(share: share))
  }

  /// Emits code that finds the segment to which a work-group belongs.
  private func beginSegments(_ size: Int, _ builder: inout KernelBuilder) {
    guard size > 1 else { return builder.begin("const i64 start = 0;") }
    builder.segmentCount = size
    builder.numberSource = "numbers"
    builder.begin("int segment = 0;")
    builder.begin(
      "while (segment < \(size - 1) && (i64)GROUP_ID() >= geometry[segment + 1]) segment += 1;")
    builder.begin("const i64 start = geometry[segment];")
    builder.begin("GLOBAL const i64 *const numbers = geometry + geometry[\(size) + segment];")
  }

  /// Emits the kernel for one segment; returns the number of work-groups.
  private func emit(
    _ program: Program, _ segment: Segment, size: Int, _ builder: inout KernelBuilder
  ) -> Int {
    var text = ExpressionEmitter(
      program, segment.bound, rows: segment.rows, columns: segment.columns, &builder)
    return builder.overRows(
      segment.rows.count, columns: segment.columns.extent, elementsPerGroup: max(elementsPerGroup, 256 * segment.chunk),
      chunk: segment.chunk, isOneRow: segment.rows.rank == 0,
      begin: { text.beginRow("row", &$0) },
      body: {
        if segment.chunk == 1 {
          text.emit(column: "column", count: "count", &$0)
        } else {
          text.emitChunk(of: segment.chunk, column: "column", &$0)
        }
      })
  }
}

extension Program {
  /// The number of neighboring elements that a work-item of a GPU processes at a time, so that it loads and stores 4 to
  /// 16 bytes with one instruction: 8, 4 or 2, or 1 if the arrays are not aligned for that or are small.
  fileprivate func chunk(
    _ bound: BoundProgram, _ rows: StridedLoop, _ columns: (extent: Int, strides: [Int]), elementCount: Int
  ) -> Int {
    // Small arrays do not use the whole memory bandwidth in any case, and fewer kernels have to be built.
    guard elementCount >= 1 << 16, columns.strides.allSatisfy({ $0 == 0 || $0 == 1 }) else { return 1 }
    var arrays: [(dtype: DType, offset: Int)?] = []
    for (input, argument) in zip(inputs, bound.arguments) {
      switch (input, argument) {
      case (.tensor(let dtype), .tensor(let location)): arrays.append((dtype, location.offset))
      case (.index, .index): arrays.append(nil)
      default: break
      }
    }
    for (output, location) in zip(outputs, bound.results) { arrays.append((output.dtype, location.offset)) }
    // Element indices are not in memory, and an array without a stride along the columns is read once for each row.
    let contiguous = arrays.indices.filter { arrays[$0] != nil && columns.strides[$0] == 1 }
    let largest = contiguous.map { arrays[$0]!.dtype.byteCount }.max() ?? 16
    return [8, 4, 2].first { chunk in
      chunk * largest <= 16 && columns.extent % chunk == 0
        && contiguous.allSatisfy { array in
          arrays[array]!.dtype.byteCount * chunk >= 4
            && ([arrays[array]!.offset] + rows.strides[array]).allSatisfy { $0 % chunk == 0 }
        }
    } ?? 1
  }
}

extension BoundProgram {
  var maximumOffset: Int {
    let offsets = arguments.map { argument in
      switch argument {
      case .tensor(let location): location.offset
      case .index(let offset): offset
      case .scalar, .core: 0
      }
    }
    return (offsets + results.map(\.offset)).max() ?? 0
  }
}
