/// A copy of several pieces into one array: concatenation, padding, and the gradient of a slice.
///
/// If `fill` is not `nil`, the array is first filled with this number; pieces that leave gaps require it. Then each
/// piece is copied to its destination. Destinations do not overlap.
public struct StridedCopy: Hashable, Sendable {
  /// A source and its destination: a layout of the same shape in the result.
  public struct Piece: Hashable, Sendable {
    /// The elements to copy.
    public var source: Operand
    /// The layout of the elements in the result.
    public var destination: Layout

    /// Creates a piece from a source and a destination of the same shape.
    public init(source: Operand, destination: Layout) {
      self.source = source
      self.destination = destination
    }
  }

  /// The element type of all pieces and of the result.
  public var dtype: DType
  /// The value of elements between the pieces; `nil` if they leave no gaps.
  public var fill: Scalar?
  /// The pieces, which do not overlap.
  public var pieces: [Piece]
  /// The value that receives the array.
  public var result: Int

  /// Creates a copy from its fields.
  public init(dtype: DType, fill: Scalar?, pieces: [Piece], result: Int) {
    self.dtype = dtype
    self.fill = fill
    self.pieces = pieces
    self.result = result
  }
}

extension StridedCopy: StepFamily {
  func mapped(read: (Int) -> Int, write: (Int) -> Int) -> StridedCopy {
    var step = self
    for index in step.pieces.indices {
      step.pieces[index].source.value = read(step.pieces[index].source.value)
    }
    step.result = write(step.result)
    return step
  }
}
