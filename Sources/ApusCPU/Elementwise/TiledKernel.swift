import ApusDevice
import ApusCSIMD
import ApusSystem

/// A kernel with arguments that are contiguous along another axis than its results. It runs in tiles over these two
/// axes, so that it uses whole cache lines of arguments and results.
struct TiledKernel {
  private let kernel: Kernel
  /// The number of rows: the extent of the axis along which some arguments are contiguous.
  private let rows: Int
  /// The distance, in elements of the domain (the shape over which the kernel runs), between adjacent rows.
  private let width: Int
  /// The number of columns: the extent of the axis along which results are contiguous.
  private let columns: Int
  /// The layout of the other axes in the domain.
  private let outer: csimd_layout
  private let outerCount: Int

  private static let columnGrain = 32
  private static let rowGrain = 1024

  init?(_ kernel: Kernel, _ segment: Binding) {
    let operands = segment.arguments.compactMap { if case .tensor(let operand) = $0 { operand } else { nil } }
    let (shape, layouts) = Layout.collapsed(
      segment.domain, operands.map(\.layout) + segment.results.map(\.layout) + [Layout(contiguous: segment.domain)])
    let inner = shape.rank - 1
    guard inner > 0, shape[inner] >= 16 else { return nil }
    let row = (0..<inner).first { axis in
      shape[axis] >= 16
        && layouts.prefix(operands.count).contains { $0.strides[inner] > 1 && $0.strides[axis] == 1 }
    }
    guard let row, segment.arguments.allSatisfy({ if case .core = $0 { false } else { true } }) else { return nil }
    self.kernel = kernel
    let numbers = layouts[layouts.count - 1]
    (rows, width, columns) = (shape[row], numbers.strides[row], shape[inner])
    let others = (0..<inner).filter { $0 != row }
    outer = numbers.selecting(others).raw
    outerCount = shape.selecting(others).elementCount
  }

  var workspaceByteCount: Int { kernel.workspaceByteCount }

  func run(_ context: borrowing RunContext) {
    let (frame, workspaces) = (context.frame, context.workspaces)
    let blocks = ceilDivide(rows, Self.rowGrain)
    let strips = ceilDivide(columns, Self.columnGrain)
    context.pool.run(outerCount * strips * blocks) { task, worker in
      let (strip, block) = task.quotientAndRemainder(dividingBy: blocks)
      let (index, columnBlock) = strip.quotientAndRemainder(dividingBy: strips)
      let start = withUnsafePointer(to: outer) { Int(csimd_position($0, Int64(index))) }
      let (first, left) = (block * Self.rowGrain, columnBlock * Self.columnGrain)
      let tile = csimd_tile(
        start: Int64(start + first * width + left), rows: Int64(min(Self.rowGrain, rows - first)),
        columns: Int64(min(Self.columnGrain, columns - left)), width: Int64(width), leading: 0, is_regular: 1)
      kernel.run(tile, frame, workspace: workspaces[worker], core: workspaces[worker])
    }
  }
}
