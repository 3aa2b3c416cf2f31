import ApusDevice

extension Tensor {
  /// Runs `body` on a tensor of rank `rank`. If this tensor lacks the batch axis, it becomes a batch of one, and the
  /// axis is removed from the result.
  package func asBatch(ofRank rank: Int, axis: Int = 0, _ body: (Tensor) -> Tensor) -> Tensor {
    guard self.rank == rank - 1, rank <= Shape.maximumRank else { return body(self) }
    return body(expandingAxis(at: axis)).squeezingAxis(at: axis)
  }
}
