import ApusDevice

extension DType {
  /// The one type of all inputs; throws if their types differ. Methods promote their operands before they build a node.
  static func common(_ name: String, _ inputs: borrowing OpInputs) throws(ShapeError) -> DType {
    let first = inputs.dtype(0)
    for index in 1..<max(inputs.count, 1) where inputs.dtype(index) != first {
      throw ShapeError(name, "element types \(first) and \(inputs.dtype(index)) differ")
    }
    return first
  }

  /// The type to which both types are promoted, by PyTorch's rule: a floating-point type if there is one, otherwise an
  /// integer type if there is one. Of two such types, it is the wider one; `float16` with `bfloat16` gives `float32`,
  /// and `uint8` with `int8` gives `int32`.
  public static func promoted(_ left: DType, _ right: DType) -> DType {
    if left == right { return left }
    if left.isFloatingPoint || right.isFloatingPoint {
      guard left.isFloatingPoint else { return right }
      guard right.isFloatingPoint else { return left }
      if left.byteCount == 2 && right.byteCount == 2 { return .float32 }
      return left.byteCount > right.byteCount ? left : right
    }
    if left == .bool { return right }
    if right == .bool { return left }
    if left.byteCount == 1 && right.byteCount == 1 { return .int32 }
    return left.byteCount > right.byteCount ? left : right
  }
}

extension DType {
  /// The result type of matrix products of this type: sums of 8-bit integers do not fit into 8 bits.
  var product: DType { self == .int8 || self == .uint8 || self == .bool ? .int32 : self }

  /// The promotion category: `bool`, then integers, then floating-point types. A tensor without axes promotes others
  /// only to a higher category.
  fileprivate var category: Int { isFloatingPoint ? 2 : self == .bool ? 0 : 1 }
}

extension Tensor {
  /// The result type of an operation on several tensors, by PyTorch's rule: as `DType.promoted`, but a tensor without
  /// axes counts only if its category is above the category of every tensor with axes. The categories are `bool`, then
  /// integers, then floating-point types.
  static func promotedType(_ tensors: [Tensor]) -> DType {
    func common(_ list: [Tensor]) -> DType? {
      list.first.map { first in list.dropFirst().reduce(first.dtype) { DType.promoted($0, $1.dtype) } }
    }
    guard let whole = common(tensors.filter { $0.rank > 0 }) else { return common(tensors) ?? .float32 }
    guard let single = common(tensors.filter { $0.rank == 0 }), single.category > whole.category else { return whole }
    return DType.promoted(whole, single)
  }

  /// As `promotedType`, but `float32` if all tensors are integers or `bool`.
  static func floatingType(_ tensors: [Tensor]) -> DType {
    let dtype = promotedType(tensors)
    return dtype.isFloatingPoint ? dtype : .float32
  }

  /// Builds a binary operation after promotion to a common type.
  static func binary(_ op: Op, _ left: Tensor, _ right: Tensor) -> Tensor {
    if left.dtype == right.dtype { return Tensor(op, OpInputs(left.node, right.node)) }
    let dtype = promotedType([left, right])
    return Tensor(op, OpInputs(left.cast(to: dtype).node, right.cast(to: dtype).node))
  }

  /// Builds a binary operation on floating-point numbers.
  static func floatingBinary(_ op: Op, _ left: Tensor, _ right: Tensor) -> Tensor {
    if left.dtype == right.dtype && left.dtype.isFloatingPoint { return binary(op, left, right) }
    let dtype = floatingType([left, right])
    return Tensor(op, OpInputs(left.cast(to: dtype).node, right.cast(to: dtype).node))
  }

  /// Builds a binary arithmetic operation: two `bool` operands count as `int32`.
  static func arithmetic(_ op: Op, _ left: Tensor, _ right: Tensor) -> Tensor {
    if left.dtype == .bool && right.dtype == .bool {
      return binary(op, left.cast(to: .int32), right.cast(to: .int32))
    }
    return binary(op, left, right)
  }

  /// Builds a function of floating-point numbers.
  func apply(_ op: Op) -> Tensor { Tensor(op, OpInputs(floating.node)) }

  /// The tensor itself if it is floating-point, else its values as `float32`.
  var floating: Tensor { dtype.isFloatingPoint ? self : cast(to: .float32) }
}
