import ApusDevice
import ApusCSIMD
import ApusSystem

/// The left factor of matrix products, `[m, k]` in floating point, which is packed once and then multiplied by many
/// right factors on different threads. Each element of a product is a sum of accumulation chains of at most
/// `BlockSchedule.depth` multiply-adds.
struct PackedRows {
  typealias Factor = BlockKernels.Factor

  let m: Int
  let k: Int
  private let kernels: BlockKernels

  init(m: Int, k: Int, _ lane: Lane, _ builder: StepBuilder) {
    (self.m, self.k) = (m, k)
    kernels = BlockKernels(lane, builder)
  }

  private static let depth = BlockSchedule.depth
  /// The maximum row stride, in elements, of a right factor that is read in place: rows at larger power-of-two strides
  /// map to the same cache sets.
  private static let longestRowInPlace = 512

  /// The number of chains; each chain is packed separately.
  var chainCount: Int { ceilDivide(k, Self.depth) }
  private var chainByteCount: Int { kernels.sliverByteCount(rows: m, k: min(k, Self.depth)) }
  var byteCount: Int { chainCount * chainByteCount }
  /// Bytes of scratch memory for a product with `columns` columns.
  func workspaceByteCount(columns: Int) -> Int { kernels.panelByteCount(columns: columns, k: min(k, Self.depth)) }

  /// The terms that a chain sums: a range of at most `depth` positions along k.
  private func terms(of chain: Int) -> Range<Int> { blockRange(chain, size: Self.depth, count: k) }

  /// Packs, from each row, the elements that belong to a chain.
  func pack(_ chain: Int, of a: Factor, into rows: UnsafeMutableRawPointer) {
    let terms = terms(of: chain)
    kernels.packRows(m, k: terms.count, a.moved(column: terms.lowerBound, kernels.lane), rows + chain * chainByteCount)
  }

  /// `c[m, n] = a·b`, where `rows` are the packed rows of `a`.
  /// - Parameters:
  ///   - isPadded: whether each row of `b` is padded to a multiple of 16 elements.
  ///   - ahead: memory that the product prefetches for later use.
  func multiply(
    _ rows: UnsafeRawPointer, n: Int, _ b: Factor, isPadded: Bool, _ c: UnsafeMutableRawPointer, leading: Int,
    scratch: UnsafeMutableRawPointer, ahead: csimd_prefetch_block
  ) {
    let isInPlace = b.row <= Self.longestRowInPlace && b.row % 16 == 0 && (isPadded || n % 16 == 0)
    for chain in 0..<max(1, chainCount) {
      let terms = terms(of: chain)
      let source = b.moved(row: terms.lowerBound, kernels.lane)
      if !isInPlace { kernels.packColumns(n, k: terms.count, source, scratch, height: terms.count) }
      kernels.multiply(
        m: m, n: n, k: terms.count, rows + chain * chainByteCount,
        isInPlace ? kernels.inPlace(source) : kernels.packed(scratch, height: terms.count), c, leading: leading,
        accumulates: chain > 0, ahead: chain == 0 ? ahead : csimd_prefetch_block())
    }
  }
}
