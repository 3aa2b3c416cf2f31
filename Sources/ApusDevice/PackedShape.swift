/// A shape with the alignment of an integer, which makes graph nodes cheap to allocate: each training step creates
/// hundreds of nodes. The vector in `Shape` has an alignment of 64 bytes. For an object that contains a `Shape`, Swift
/// calls `posix_memalign` instead of `malloc`, and `posix_memalign` allocates a larger block and splits it.
public struct PackedShape: Sendable {
  @usableFromInline let extents: (Int, Int, Int, Int, Int, Int, Int, Int)
  @usableFromInline let count8: UInt8
  @usableFromInline let excess: UInt8

  /// Packs a shape.
  @inlinable public init(_ shape: Shape) {
    let e = shape.extents
    extents = (e[0], e[1], e[2], e[3], e[4], e[5], e[6], e[7])
    count8 = shape.count8
    excess = shape.excess
  }

  /// The unpacked shape.
  @inlinable public var shape: Shape {
    var result = Shape()
    let e = extents
    result.extents = SIMD8(e.0, e.1, e.2, e.3, e.4, e.5, e.6, e.7)
    result.count8 = count8
    result.excess = excess
    return result
  }
}
