/// Pieces laid into one array: concatenation, padding, and the gradient of a slice.
///
/// The array is filled with `fill` where it is given (it is where the pieces leave gaps), then each
/// piece is copied to its place. Places do not overlap.
public struct StridedCopy: Hashable, Sendable {
  /// A source and the layout, of the same shape, that its elements get in the result.
  public struct Piece: Hashable, Sendable {
    public var source: Operand
    public var place: Layout

    public init(source: Operand, place: Layout) {
      self.source = source
      self.place = place
    }
  }

  public var dtype: DType
  public var fill: Scalar?
  public var pieces: [Piece]
  /// The value that receives the array.
  public var result: Int

  public init(dtype: DType, fill: Scalar?, pieces: [Piece], result: Int) {
    self.dtype = dtype
    self.fill = fill
    self.pieces = pieces
    self.result = result
  }
}
