import ApusDevice

/// A matrix, or a batch of matrices, from which a kernel copies boxes to local memory (CUDA: `CUtensorMap`).
struct TensorMap: Hashable, Sendable {
  /// The slot of the memory, and the first element in it.
  var slot: Int
  var offset: Int
  var dtype: DType
  /// The extents of the axes, the one with stride 1 first.
  var extents: [Int]
  /// The strides of all axes but the first, in elements; multiples of 16 bytes.
  var strides: [Int]
  /// The extents of a box. The elements of its first axis have at most 128 bytes; in local memory, these are permuted as
  /// in CUDA's swizzle mode of 128 bytes.
  var box: [Int]
}
