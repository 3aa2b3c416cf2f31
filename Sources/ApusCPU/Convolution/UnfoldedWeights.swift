import ApusDevice
import ApusCSIMD

/// The weights of an unfolded convolution (im2col), as the left factors of its matrix products. For each group of
/// channels, the product is the weights `[outputs, taps]` times the windows, or the transposed weights times the pixels
/// of the output's gradient. The weights are packed once for all tasks, unless `packed` is `nil`.
struct UnfoldedWeights {
  private let geometry: UnfoldedGeometry
  private let isTransposed: Bool
  private let product: OpenBLASProduct
  /// `nil` for integers, and for transposed weights with the `baseline` loops: then `product` multiplies the unpacked
  /// weights.
  private let packed: PackedRows?

  init(_ step: Convolution, _ geometry: UnfoldedGeometry, isTransposed: Bool, _ builder: StepBuilder) {
    (self.geometry, self.isTransposed) = (geometry, isTransposed)
    let (outputs, taps) = (geometry.outputs, geometry.tapCount)
    product = OpenBLASProduct(geometry.lane, builder)
    let hasLoops = String(cString: builder.loops.pointee.name) != "baseline"
    packed =
      step.dtype.isFloatingPoint && (hasLoops || !isTransposed)
      ? PackedRows(m: isTransposed ? taps : outputs, k: isTransposed ? outputs : taps, geometry.lane, builder) : nil
  }

  /// Bytes that all threads share.
  var sharedByteCount: Int { geometry.weightsByteCount + geometry.g.groups * (packed?.byteCount ?? 0) }
  /// Bytes of scratch memory for a product.
  var scratchByteCount: Int { packed?.workspaceByteCount(columns: geometry.matrixPixels) ?? 0 }

  private func first(_ group: Int) -> Int { group * geometry.outputs * geometry.tapCount * geometry.lane.byteCount }

  /// Converts and packs the weights for `multiply`.
  func prepare(_ weights: Int, _ context: borrowing RunContext) -> UnsafeMutableRawPointer {
    let weights = geometry.weights(weights, context)
    guard let packed else { return weights }
    let target = context.shared + geometry.weightsByteCount
    let factor = BlockKernels.Factor(pointer: weights, row: geometry.tapCount, column: 1)
    context.pool.run(geometry.g.groups * packed.chainCount) { task, _ in
      let (group, chain) = task.quotientAndRemainder(dividingBy: packed.chainCount)
      var source = isTransposed ? factor.transposed : factor
      source.pointer += first(group)
      packed.pack(chain, of: source, into: target + group * packed.byteCount)
    }
    return target
  }

  /// The product of a group's weights with `n` columns.
  /// - Parameters:
  ///   - isPadded: whether each row of `columns` is padded to a multiple of 16 elements.
  ///   - scratch: `scratchByteCount` bytes of scratch memory.
  ///   - leading: the distance between rows of `target`, in elements.
  ///   - ahead: memory that the product prefetches.
  func multiply(
    _ weights: UnsafeMutableRawPointer, _ group: Int, n: Int, _ columns: OpenBLASProduct.Factor,
    isPadded: Bool = false, _ target: UnsafeMutableRawPointer, leading: Int, scratch: UnsafeMutableRawPointer,
    ahead: csimd_prefetch_block = csimd_prefetch_block()
  ) {
    guard let packed else {
      let (outputs, taps) = (geometry.outputs, geometry.tapCount)
      product.multiply(
        m: isTransposed ? taps : outputs, n: n, k: isTransposed ? outputs : taps,
        .init(weights + first(group), leading: taps, isTransposed: isTransposed), columns, target, leading: leading)
      return
    }
    packed.multiply(
      weights + group * packed.byteCount, n: n,
      BlockKernels.Factor(pointer: columns.pointer, row: columns.order.leading, column: 1), isPadded: isPadded,
      target, leading: leading, scratch: scratch, ahead: ahead)
  }
}
