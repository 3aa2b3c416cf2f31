import ApusTensor

/// Splits axis `axis` into several: `[batch, features]` to `[batch, sizes…]` for axis 1. One size may be −1: it is
/// inferred from the extent of the axis. The product of the sizes must be the extent of the axis.
public struct Unflatten: Layer {
  /// The axis that is split; negative numbers count from the end.
  public let axis: Int
  /// The new extents, at most one of them −1.
  public let sizes: [Int]

  /// - Parameter axis: negative numbers count from the end.
  /// - Precondition: there is at least one size; at most one size is −1, and none is smaller.
  public init(axis: Int = 1, to sizes: [Int]) {
    guard !sizes.isEmpty, sizes.allSatisfy({ $0 >= -1 }), sizes.count(where: { $0 == -1 }) <= 1 else {
      fatalError("Unflatten: the sizes \(sizes) must be at least one number, each 0 or more, or one of them -1")
    }
    self.axis = axis
    self.sizes = sizes
  }

  public var members: [ModuleMember] { [] }

  public func callAsFunction(_ x: Tensor) -> Tensor {
    let axis = axis < 0 ? axis + x.rank : axis
    guard (0..<x.rank).contains(axis) else {
      ShapeError("Unflatten", "axis \(self.axis) is not an axis of \(x.shape)").report()
      return x
    }
    let known = sizes.lazy.filter { $0 != -1 }.reduce(1) { $0.saturatingProduct($1) }
    let extent = x.shape[axis]
    guard sizes.contains(-1) ? known > 0 && extent % known == 0 : known == extent else {
      ShapeError("Unflatten", "cannot split \(extent) elements of axis \(axis) of \(x.shape) into \(sizes)").report()
      return x
    }
    let parts = sizes.map { $0 == -1 ? extent / known : $0 }
    return x.reshaped(to: x.shape.replacing(axis: axis, with: parts))
  }
}

/// Returns its input, in the same shape: a placeholder, for example for a removed last layer.
public struct Identity: Layer {
  public init() {}
  public var members: [ModuleMember] { [] }
  public func callAsFunction(_ x: Tensor) -> Tensor { x }
}
