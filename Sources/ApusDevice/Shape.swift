/// The extents of a tensor, outermost axis first; a scalar has rank 0.
///
/// A shape is a plain value without heap storage, so that building a graph node allocates nothing for it. The rank is
/// at most `Shape.maximumRank`.
///
/// Any extents make a shape, even if no tensor can have them: negative extents, more than `maximumRank` extents, or too
/// many elements. The operation that receives an invalid shape reports the error, which `invalidReason` describes.
public struct Shape: Sendable {
  /// The largest number of axes of a tensor.
  public static let maximumRank = 8

  /// The extents; those beyond the rank are 0. They are in a SIMD vector and not in an `InlineArray`, because Swift 6.3
  /// loses stores to an `InlineArray` in optimized code.
  @usableFromInline var extents: SIMD8<Int>
  /// The rank.
  @usableFromInline var count8: UInt8
  /// The number of extents that did not fit; their values are lost.
  @usableFromInline var excess: UInt8

  /// The shape of a scalar.
  @inlinable public init() {
    extents = SIMD8(repeating: 0)
    count8 = 0
    excess = 0
  }

  /// Creates a shape with the given extents, outermost axis first. Any extents are accepted; `invalidReason` reports
  /// negative extents, too many elements and too many axes. A shape keeps the first `maximumRank` extents.
  @inlinable public init(_ extents: some Collection<Int>) {
    self.init()
    for extent in extents { append(extent) }
  }

  /// Creates a shape with `rank` equal extents, which may be invalid as in `init(_:)`.
  @inlinable public init(repeating extent: Int, count rank: Int) {
    self.init()
    for _ in 0..<rank { append(extent) }
  }

  /// The number of axes.
  @inlinable public var rank: Int { Int(count8) }

  /// Appends an innermost axis. Beyond `maximumRank`, the extent is lost and `invalidReason` reports it.
  @inlinable public mutating func append(_ extent: Int) {
    guard rank < Shape.maximumRank else {
      excess = Swift.min(excess, .max - 1) + 1
      return
    }
    extents[rank] = extent
    count8 += 1
  }

  /// The number of elements: the product of the extents, 1 for a scalar. The product of an invalid shape may wrap
  /// around.
  @inlinable public var elementCount: Int {
    var product = 1
    for axis in 0..<rank { product &*= extents[axis] }
    return product
  }

  /// The size of all elements in bytes if they have the type `dtype`.
  public func byteCount(of dtype: DType) -> Int { elementCount * dtype.byteCount }

  /// Whether a tensor can have the shape: at most `maximumRank` axes, no negative extent, and at most `Int.max / 16`
  /// elements, so that sizes in bytes fit `Int`. Extents of 0 count as 1, so that products of the other extents do not
  /// overflow.
  @inlinable public var isValid: Bool {
    guard excess == 0 else { return false }
    var product = 1
    for axis in 0..<rank {
      let (next, overflow) = product.multipliedReportingOverflow(by: Swift.max(extents[axis], 1))
      guard extents[axis] >= 0, !overflow else { return false }
      product = next
    }
    return product <= Int.max / 16
  }

  /// The reason why the shape is invalid for a tensor; `nil` when it is valid.
  public var invalidReason: String? {
    if isValid { return nil }
    if excess > 0 { return "\(self) has \(rank + Int(excess)) axes, above the maximum of \(Shape.maximumRank)" }
    if contains(where: { $0 < 0 }) { return "\(self) has a negative extent" }
    return "\(self) has too many elements"
  }

  /// The shape without axis `axis`.
  @inlinable public func removing(_ axis: Int) -> Shape {
    var result = Shape()
    for other in 0..<rank where other != axis { result.append(extents[other]) }
    return result
  }

  /// The shape with an axis of `extent` inserted before axis `axis` (`0...rank`).
  @inlinable public func inserting(_ extent: Int, at axis: Int) -> Shape {
    var result = Shape()
    for other in 0...rank {
      if other == axis { result.append(extent) }
      if other < rank { result.append(extents[other]) }
    }
    return result
  }

  /// The strides, in elements, of a contiguous row-major array of this shape.
  @inlinable public var contiguousStrides: Shape {
    var result = self
    var product = 1
    var axis = rank
    while axis > 0 {
      axis -= 1
      result.extents[axis] = product
      product &*= extents[axis]
    }
    return result
  }

  /// Creates a shape with extents from a file or an option. Returns `nil` if an extent is negative, if there are more
  /// than `maximumRank` extents, or if the elements would take more than `Int.max / 2` bytes, where extents of 0 count
  /// as 1.
  public init?(validating extents: [Int], dtype: DType) {
    guard extents.count <= Shape.maximumRank else { return nil }
    var bytes = dtype.byteCount
    for extent in extents {
      guard extent >= 0 else { return nil }
      let (product, overflow) = bytes.multipliedReportingOverflow(by: Swift.max(extent, 1))
      guard !overflow, product <= Int.max / 2 else { return nil }
      bytes = product
    }
    self.init(extents)
  }
}

extension Shape: RandomAccessCollection, MutableCollection {
  @inlinable public var startIndex: Int { 0 }
  @inlinable public var endIndex: Int { Int(count8) }
  /// The extent of an axis, `0 ..< rank`.
  @inlinable public subscript(axis: Int) -> Int {
    get {
      guard axis >= 0, axis < rank else { missing(axis) }
      return extents[axis]
    }
    set {
      guard axis >= 0, axis < rank else { missing(axis) }
      extents[axis] = newValue
    }
  }

  @inline(never) @usableFromInline func missing(_ axis: Int) -> Never {
    fatalError("Shape: \(self) has no axis \(axis)")
  }
}

extension Shape: Hashable {
  @inlinable public static func == (left: Shape, right: Shape) -> Bool {
    left.count8 == right.count8 && left.excess == right.excess && left.extents == right.extents
  }

  @inlinable public func hash(into hasher: inout Hasher) {
    hasher.combine(count8)
    for axis in 0..<rank { hasher.combine(extents[axis]) }
  }
}

extension Shape: ExpressibleByArrayLiteral, CustomStringConvertible {
  @inlinable public init(arrayLiteral extents: Int...) { self.init(extents) }

  public var description: String {
    "[" + (map(String.init) + (excess > 0 ? ["…"] : [])).joined(separator: ", ") + "]"
  }
}

extension Shape {
  /// Returns the shape in which `extents` replace the extent of `axis`; their number decides the rank.
  package func replacing(axis: Int, with extents: some Collection<Int>) -> Shape {
    Shape(self[..<axis] + Array(extents) + self[(axis + 1)...])
  }
}
