import ApusDevice
import ApusCSIMD

/// The `int32` or `int64` indices of a gather or scatter: one for each element of the shape `[outer, count, inner]`.
struct IndexReader {
  let value: Int
  let isWide: Bool
  let layout: Layout
  /// The extent of the indexed axis.
  let extent: Int

  init(_ operand: Operand, extent: Int, _ builder: StepBuilder) {
    value = operand.value
    isWide = builder.plan.values[operand.value].dtype == .int64
    layout = operand.layout
    self.extent = extent
  }

  /// Whether all `inner` elements of a row `[outer, entry]` have the same index.
  var servesRows: Bool { layout.shape[2] <= 1 || layout.strides[2] == 0 }

  /// The offset of index `[outer, entry, 0]` in the index array.
  func position(_ outer: Int, _ entry: Int) -> Int {
    layout.offset + outer * layout.strides[0] + entry * layout.strides[1]
  }

  /// The index at an offset of the index array, or `nil` if it is out of range.
  @inline(__always)
  func read(_ base: UnsafeMutableRawPointer, _ position: Int) -> Int? {
    let index =
      isWide
      ? Int(base.assumingMemoryBound(to: Int64.self)[position])
      : Int(base.assumingMemoryBound(to: Int32.self)[position])
    return index >= 0 && index < extent ? index : nil
  }
}

extension IndexReader {
  /// The error that names the first invalid index.
  func failure(_ list: IndexList, _ base: UnsafeMutableRawPointer, _ names: [String]) -> DeviceError {
    let fault = list.firstFault { position in
      isWide
        ? Int(base.assumingMemoryBound(to: Int64.self)[position])
        : Int(base.assumingMemoryBound(to: Int32.self)[position])
    }
    return .indexOutOfRange(
      device: "cpu", operation: list.indexing.operation ?? names.joined(separator: ", "), fault: fault)
  }
}

/// A failure flag for each worker; flags are on separate cache lines.
final class FailureFlags {
  private let flags: UnsafeMutablePointer<Bool>
  private static let spacing = 64
  private let count: Int

  init(workers: Int) {
    count = workers
    flags = .allocate(capacity: workers * Self.spacing)
    flags.initialize(repeating: false, count: workers * Self.spacing)
  }

  deinit { flags.deallocate() }

  func raise(_ worker: Int) { flags[worker * Self.spacing] = true }

  var isRaised: Bool { (0..<count).contains { flags[$0 * Self.spacing] } }
}
