/// The contributions of a tensor's slices to its gradient. If the slices partition the tensor along an axis, the
/// gradient is the concatenation of the slices' gradients, instead of a sum of arrays that are mostly zeros.
struct SliceGradients {
  private struct Piece {
    var gradient: Tensor
    var starts: [Int]
    var steps: [Int]
  }

  private var pieces: [Piece] = []
  /// The serial of the first slice's node.
  let serial: UInt64

  init(_ slice: Node) { serial = slice.serial }

  mutating func append(_ gradient: Tensor, _ slice: Node) {
    let (starts, steps, _) = Op.sliceParts(slice.attributes.integers)
    pieces.append(Piece(gradient: gradient, starts: starts, steps: steps))
  }

  /// Tensors of `shape`, whose sum is the gradient.
  func contributions(_ shape: Shape) -> [Tensor] {
    for axis in 0..<shape.rank where pieces.count > 1 && areParts(of: shape, along: axis) {
      return [.concatenated(sorted(along: axis).map(\.gradient), axis: axis)]
    }
    return pieces.map { $0.gradient.embedded(in: shape, start: $0.starts, step: $0.steps) }
  }

  private func sorted(along axis: Int) -> [Piece] { pieces.sorted { $0.starts[axis] < $1.starts[axis] } }

  /// Whether the slices partition the whole shape along an axis.
  private func areParts(of shape: Shape, along axis: Int) -> Bool {
    var position = 0
    for piece in sorted(along: axis) {
      let extents = piece.gradient.shape
      guard piece.starts[axis] == position, extents[axis] > 0, piece.steps.allSatisfy({ $0 == 1 }),
        (0..<shape.rank).allSatisfy({ $0 == axis || extents[$0] == shape[$0] })
      else { return false }
      position += extents[axis]
    }
    return position == shape[axis]
  }
}
