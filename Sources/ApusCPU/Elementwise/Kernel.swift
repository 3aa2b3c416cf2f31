import ApusDevice
import ApusCSIMD

/// A program (straight-line elementwise code) over one domain, translated to functions and layouts for `csimd_run`.
final class Kernel {
  let raw: UnsafeMutablePointer<csimd_kernel>
  /// The number of elements of the domain.
  let count: Int
  /// The estimated cost of one element: loads, stores and instructions.
  let weight: Int
  /// Bytes of workspace that a run needs.
  var workspaceByteCount: Int { Int(raw.pointee.workspace_bytes) + Self.frameByteCount }

  private static let frameByteCount = Int(CSIMD_MAXIMUM_REGISTERS) * MemoryLayout<csimd_operand>.stride
  private let splats: [UnsafeMutableRawPointer]

  /// - Parameters:
  ///   - results: the operands in which outputs are stored; `nil` if a `csimd_sink` (the reducers of a reduction)
  ///     receives them.
  init(
    _ program: Program, domain: Shape, arguments: [Argument], results: [Operand]?, _ builder: StepBuilder
  ) throws(DeviceError) {
    var lowering = KernelLowering(builder: builder, program: program, domain: domain)
    try lowering.lower(arguments: arguments, results: results)
    count = domain.elementCount
    weight =
      program.instructions.reduce(0) { $0 + $1.weight } + lowering.arguments.count
      + lowering.outputs.count + 1
    splats = lowering.splats
    raw = .allocate(capacity: 1)
    raw.initialize(
      to: csimd_kernel(
        table: builder.loops, argument_count: Int32(lowering.arguments.count),
        instruction_count: Int32(lowering.instructions.count),
        output_count: Int32(lowering.outputs.count), arguments: Self.copy(lowering.arguments),
        instructions: Self.copy(lowering.instructions), outputs: Self.copy(lowering.outputs),
        block: Int64(lowering.block), row: Int64(lowering.row),
        workspace_bytes: lowering.slots.byteCount, is_large: lowering.isLarge ? 1 : 0,
        is_flat: lowering.isFlat ? 1 : 0))
  }

  deinit {
    raw.pointee.arguments.deallocate()
    raw.pointee.instructions.deallocate()
    raw.pointee.outputs.deallocate()
    raw.deallocate()
    for splat in splats { splat.deallocate() }
  }

  private static func copy<T>(_ array: [T]) -> UnsafeMutablePointer<T> {
    let result = UnsafeMutablePointer<T>.allocate(capacity: max(1, array.count))
    result.initialize(from: array, count: array.count)
    return result
  }

  /// Runs elements `range` of the domain on one thread. An epilogue reads its step's results from `cores`, which begin
  /// with element `coreStart` of the domain.
  func run(
    _ range: Range<Int>, _ frame: RunFrame, workspace: UnsafeMutableRawPointer,
    cores: UnsafePointer<UnsafeMutableRawPointer?>? = nil, coreStart: Int = 0
  ) {
    var raw = self.frame(frame, workspace: workspace)
    raw.cores = cores
    raw.core_start = Int64(coreStart)
    csimd_run(self.raw, &raw, Int64(range.lowerBound), Int64(range.upperBound), nil, nil)
  }

  /// Uses ordinary instead of non-temporal stores for `values`, since they are soon read again. Disables prefetches,
  /// since the arrays that the kernel reads are in a cache.
  func keepInCache(_ values: Set<Int>) {
    raw.pointee.is_large = 0
    for index in 0..<Int(raw.pointee.output_count) where values.contains(Int(raw.pointee.outputs[index].value)) {
      raw.pointee.outputs[index].streams = 0
    }
  }

  /// Whether several rows of `columns` elements fit into one block. An instruction computes one block at a time.
  func takesTiles(columns: Int) -> Bool { columns > 0 && columns <= Int(raw.pointee.block) / 2 }

  /// Runs a rectangle of the domain, `tile`, on one thread.
  func run(
    _ tile: csimd_tile, _ frame: RunFrame, workspace: UnsafeMutableRawPointer, core: UnsafeMutableRawPointer
  ) {
    var raw = self.frame(frame, workspace: workspace)
    withUnsafePointer(to: Optional(core)) { cores in
      raw.cores = cores
      withUnsafePointer(to: tile) { csimd_run_tile(self.raw, &raw, $0) }
    }
  }

  /// The description of a run for `csimd_run`.
  func frame(_ frame: RunFrame, workspace: UnsafeMutableRawPointer) -> csimd_frame {
    csimd_frame(
      values: UnsafePointer(frame.values),
      scalars: UnsafePointer(frame.scalars.assumingMemoryBound(to: CChar.self)), cores: nil,
      core_start: 0, shifts: nil, workspace: workspace.assumingMemoryBound(to: CChar.self),
      ahead: frame.ahead)
  }

  /// Elements per task, so that a task has enough work. Each task ends with a wait for its non-temporal stores, so
  /// large domains have larger tasks.
  var grain: Int {
    let least = TaskLimits.weight / weight
    return max(1024, min(max(least, count / 256), 8 * least) / 1024 * 1024)
  }
  /// Whether the whole domain is too little work for several tasks.
  var isSmall: Bool { count * weight <= TaskLimits.weight }
}

/// The slots of the workspace. A slot stores one register of the program for a block of elements. It is reused when the
/// register is no longer needed.
struct KernelSlots {
  private(set) var byteCount = 0
  private var free: [Int] = []
  let size: Int

  /// A slot is three cache lines larger than a power of two, so that the slots map to different cache sets.
  init(block: Int, laneByteCount: Int) { size = block * laneByteCount + 192 }

  mutating func take() -> Int {
    if let slot = free.popLast() { return slot }
    byteCount += size
    return byteCount - size
  }

  mutating func give(_ slot: Int) { free.append(slot) }
}

extension Instruction {
  /// Whether the instruction takes so long that memory is prefetched while it runs.
  var isLong: Bool {
    switch function {
    case .row(let row): !row.isCheap
    case .random: true
    case .constant, .select, .convert: false
    }
  }

  /// The estimated time per element, in the unit of `ElementwiseRow.cost`.
  var weight: Int {
    if !isLong { return 2 }
    if lane == .float64 { return 60 }
    if case .row(let row) = function { return row.cost }
    return 8
  }
}

extension LoopInstruction {
  /// Whether memory can be prefetched while the instruction runs.
  var isLong: Bool {
    switch fused {
    case nil: instruction.isLong
    case .multiplyAdd, .subtractProduct: false
    case .expDifference: true
    }
  }
}
