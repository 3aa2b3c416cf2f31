import ApusDevice

extension Tensor {
  /// Runs `body` on a batch of one where this tensor has one axis less than `rank`, the batch's, which the result does
  /// not have either.
  package func asBatch(ofRank rank: Int, axis: Int = 0, _ body: (Tensor) -> Tensor) -> Tensor {
    guard self.rank == rank - 1 else { return body(self) }
    return body(expandingAxis(at: axis)).squeezingAxis(at: axis)
  }
}
