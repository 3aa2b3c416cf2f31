/// Pieces laid into one array: concatenation, padding, and the gradient of a slice.
///
/// The array is filled with `fill` where it is given (it is where the pieces leave gaps), then each
/// piece is copied to its place. Places do not overlap.
public struct StridedCopy: Hashable, Sendable {
  /// A source and the layout, of the same shape, that its elements get in the result.
  public struct Piece: Hashable, Sendable {
    /// What is copied.
    public var source: Operand
    /// Where its elements go.
    public var place: Layout

    /// A source and its place, of one shape.
    public init(source: Operand, place: Layout) {
      self.source = source
      self.place = place
    }
  }

  /// The element type of all pieces and of the result.
  public var dtype: DType
  /// The number between the pieces; `nil` where they leave no gap.
  public var fill: Scalar?
  /// What is laid into the array, none over another.
  public var pieces: [Piece]
  /// The value that receives the array.
  public var result: Int

  /// A copy from its parts.
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
