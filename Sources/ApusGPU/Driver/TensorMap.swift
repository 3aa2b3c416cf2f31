import ApusDevice

/// A matrix, or a batch of matrices, from which a kernel copies boxes to local memory by TMA (CUDA: `CUtensorMap`).
struct TensorMap: Hashable, Sendable {
  /// The slot of the memory block; `offset` is the offset of the first element in it, in elements.
  var slot: Int
  var offset: Int
  var dtype: DType
  /// The extents of the axes, the one with stride 1 first.
  var extents: [Int]
  /// The strides of all axes but the first, in elements; multiples of 16 bytes.
  var strides: [Int]
  /// The extents of a box. Along its first axis, a box has at most 128 bytes. In local memory, the 16-byte chunks of
  /// these bytes are permuted as in CUDA's swizzle mode of 128 bytes.
  var box: [Int]
}
