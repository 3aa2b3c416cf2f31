import ApusDevice

extension Shape {
  /// The shape that all inputs broadcast to, by NumPy's rule.
  static func broadcast(_ name: String, _ inputs: borrowing OpInputs) throws(ShapeError) -> Shape {
    if inputs.second == nil { return inputs.shape(0) }
    if inputs.third == nil, inputs.shape(0) == inputs.shape(1) { return inputs.shape(0) }
    var result = inputs.shape(0)
    for index in 1..<inputs.count where inputs.shape(index) != result {
      guard let next = result.broadcast(with: inputs.shape(index)) else {
        throw ShapeError(
          name, "shapes \(result) and \(inputs.shape(index)) do not broadcast: extents must be equal or 1")
      }
      result = next
    }
    return result
  }

  /// The shape that both shapes broadcast to: axes are aligned at the right, extents are equal or 1. `nil` if the
  /// shapes do not broadcast.
  public func broadcast(with other: Shape) -> Shape? {
    if rank == 0 { return other }
    if other.rank == 0 { return self }
    let (long, short) = rank >= other.rank ? (self, other) : (other, self)
    var result = long
    let lead = long.rank - short.rank
    for axis in 0..<short.rank where long[axis + lead] != short[axis] {
      if long[axis + lead] == 1 {
        result[axis + lead] = short[axis]
      } else if short[axis] != 1 {
        return nil
      }
    }
    return result
  }
}

extension Tensor {
  /// Whether the shapes of all inputs broadcast; if not, reports an error of `operation`. A method that is composed of
  /// other operations checks its operands first: otherwise the error would name one of these operations.
  static func canBroadcast(_ inputs: borrowing OpInputs, for operation: String) -> Bool {
    do throws(ShapeError) {
      _ = try Shape.broadcast(operation, inputs)
      return true
    } catch {
      error.report()
      return false
    }
  }
}
