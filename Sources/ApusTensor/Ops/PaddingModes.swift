import ApusDevice

/// Which elements padding adds around a tensor.
public enum PaddingMode: String, Hashable, Sendable, CaseIterable {
  /// Zeros: `0 0 | a b c | 0`.
  case zeros
  /// The tensor mirrored at its first and last elements, which are not repeated: `c b | a b c | b a`.
  case reflect
  /// The first and last elements: `a a | a b c | c c`.
  case replicate
  /// The tensor repeated periodically: `b c | a b c | a b`.
  case circular
}

extension Tensor {
  /// The tensor with `before` elements added before and `after` elements after each axis; `mode` says which elements.
  /// Each extent becomes `before + extent + after`.
  ///
  /// - Parameter amounts: one pair for each axis. The numbers are not negative. For `circular`, they are at most the
  ///   extent of the axis; for `reflect`, they are less than this extent. `replicate` cannot pad an axis of extent 0.
  public func padded(by amounts: [(before: Int, after: Int)], mode: PaddingMode) -> Tensor {
    if mode == .zeros { return padded(by: amounts) }
    guard amounts.count == rank else {
      ShapeError("padded", "\(amounts.count) amounts do not match the axes of \(shape)").report()
      return self
    }
    var result = self
    for (axis, amount) in amounts.enumerated() where amount != (0, 0) {
      guard fits(amount, axis, mode) else { return self }
      let (before, after) = result.borders(amount, axis, mode)
      let parts = [before, result, after].filter { $0.shape[axis] > 0 }
      result = parts.count == 1 ? parts[0] : .concatenated(parts, axis: axis)
    }
    return result
  }

  /// Whether an axis has the elements that padding repeats; if not, reports an error.
  private func fits(_ amount: (before: Int, after: Int), _ axis: Int, _ mode: PaddingMode) -> Bool {
    let extent = shape[axis]
    // Amounts above `Int.max / 16` exceed every valid shape, and their sums could overflow.
    let most =
      switch mode {
      case .reflect: extent - 1
      case .circular: extent
      case .zeros, .replicate: extent == 0 ? 0 : Int.max / 16
      }
    guard amount.before >= 0, amount.after >= 0, amount.before <= most, amount.after <= most else {
      ShapeError(
        "padded",
        "\(mode.rawValue) padding of axis \(axis) of \(shape) is \(amount.before) and \(amount.after), not 0 to \(Swift.max(most, 0))"
      ).report()
      return false
    }
    var target = shape
    target[axis] += amount.before + amount.after
    return Tensor.accepts(target, "padded")
  }

  /// The elements that are added before and after an axis.
  private func borders(
    _ amount: (before: Int, after: Int), _ axis: Int, _ mode: PaddingMode
  ) -> (before: Tensor, after: Tensor) {
    let extent = shape[axis]
    switch mode {
    case .reflect:
      return (
        slice(axis: axis, from: amount.before, count: amount.before, step: -1),
        slice(axis: axis, from: extent - 2, count: amount.after, step: -1)
      )
    case .circular:
      return (
        slice(axis: axis, from: extent - amount.before, count: amount.before),
        slice(axis: axis, from: 0, count: amount.after)
      )
    case .zeros, .replicate:
      var (before, after) = (shape, shape)
      (before[axis], after[axis]) = (amount.before, amount.after)
      return (
        slice(axis: axis, from: 0, count: 1).broadcast(to: before),
        slice(axis: axis, from: extent - 1, count: 1).broadcast(to: after)
      )
    }
  }
}
