import ApusDevice
import CSIMD

/// A copy whose source walks along one axis and whose result along another, in tiles of those two.
struct Transposition {
  private typealias Function =
    @convention(c) (
      Int, Int, UnsafeRawPointer?, Int, UnsafeMutableRawPointer?, Int, Int32
    ) -> Void

  private let source: Int
  private let result: Int
  private let byteCount: Int
  /// The other axes: their extents and where they move the source and the result.
  private let outer: Shape
  private let outerSource: Layout
  private let outerResult: Layout
  /// The source's axis of stride 1 and the result's stride along it.
  private let rows: Int
  private let resultStride: Int
  /// The result's axis of stride 1 and the source's stride along it.
  private let columns: Int
  private let sourceStride: Int
  private let transpose: Function

  /// Whether lines of the result are written past the caches.
  private let streams: Bool

  private static let rowGrain = 1024
  private static let columnGrain = 64
  /// Lines of a result that is no smaller lie too far apart to wait in a cache for their neighbours.
  private static let streamByteCount = 4 << 20
  private static let leastExtent = 2

  /// The copy that a program amounts to, or `nil`.
  init?(_ program: Program, _ segment: Binding, _ builder: StepBuilder) {
    guard program.instructions.isEmpty, program.inputs.count == 1, program.outputs.count == 1,
      case .tensor(let operand) = segment.arguments[0]
    else { return nil }
    let target = segment.results[0]
    let dtype = builder.plan.values[operand.value].dtype
    guard dtype == builder.plan.values[target.value].dtype, !builder.mayAlias(operand.value, target.value)
    else { return nil }
    let (shape, layouts) = Layout.collapsed(segment.domain, [operand.layout, target.layout])
    let (from, to) = (layouts[0], layouts[1])
    let axes = Array(0..<shape.rank)
    guard let row = axes.first(where: { from.strides[$0] == 1 && to.strides[$0] != 1 }),
      let column = axes.first(where: { to.strides[$0] == 1 && from.strides[$0] > 1 }),
      shape[row] >= Self.leastExtent, shape[column] >= Self.leastExtent
    else { return nil }
    (source, result, byteCount) = (operand.value, target.value, dtype.byteCount)
    let others = axes.filter { $0 != row && $0 != column }
    outer = shape.selecting(others)
    outerSource = from.selecting(others)
    outerResult = to.selecting(others)
    (rows, resultStride) = (shape[row], to.strides[row])
    (columns, sourceStride) = (shape[column], from.strides[column])
    streams = builder.plan.values[target.value].byteCount >= Self.streamByteCount
    let functions = builder.loops.pointee.transpose
    transpose =
      switch byteCount {
      case 1: functions.0!
      case 2: functions.1!
      case 4: functions.2!
      default: functions.3!
      }
  }

  func run(_ context: borrowing RunContext) {
    let (from, to) = (context.address(source), context.address(result))
    let (sourceLayout, resultLayout) = (outerSource.raw, outerResult.raw)
    let blocks = (rows + Self.rowGrain - 1) / Self.rowGrain
    let strips = (columns + Self.columnGrain - 1) / Self.columnGrain
    context.pool.run(outer.elementCount * strips * blocks) { task, _ in
      let (strip, block) = task.quotientAndRemainder(dividingBy: blocks)
      let (index, place) = strip.quotientAndRemainder(dividingBy: strips)
      let (first, left) = (block * Self.rowGrain, place * Self.columnGrain)
      let (start, target) = withUnsafePointer(to: sourceLayout) { source in
        withUnsafePointer(to: resultLayout) { result in
          (Int(csimd_position(source, Int64(index))), Int(csimd_position(result, Int64(index))))
        }
      }
      transpose(
        min(Self.rowGrain, rows - first), min(Self.columnGrain, columns - left),
        from + (start + first + left * sourceStride) * byteCount, sourceStride,
        to + (target + first * resultStride + left) * byteCount, resultStride, streams ? 1 : 0)
    }
  }
}
