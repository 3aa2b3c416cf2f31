import ApusDevice

extension Op {
  /// A function of one value, defined by a row (a macro entry) of `elementwise.def`. If the row exists only for
  /// floating-point numbers, the `Tensor` method converts integers and `bool` to `float32` first.
  static func function(_ row: ElementwiseRow, gradient: GradientRule) -> Op {
    Op(
      name: row.name,
      shape: { inputs, _ throws(ShapeError) in TensorType(inputs.shape(0), inputs.dtype(0)) },
      gradient: gradient,
      lower: .elementwise { builder, node, registers in
        let result = builder.emit(row, lane: node.dtype.lane, registers)
        return builder.narrow(result, to: node.dtype)
      })
  }

  /// A function of two values of one type, with broadcasting.
  static func binary(_ row: ElementwiseRow, gradient: GradientRule) -> Op {
    let name = row.name
    return Op(
      name: name,
      shape: { inputs, _ throws(ShapeError) in
        TensorType(try Shape.broadcast(name, inputs), try DType.common(name, inputs))
      },
      gradient: gradient,
      lower: .elementwise { builder, node, registers in
        let result = builder.emit(row, lane: node.dtype.lane, registers)
        return builder.narrow(result, to: node.dtype)
      })
  }

  /// A function of the bits of integers.
  static func bitwise(_ row: ElementwiseRow) -> Op {
    let name = row.name
    return Op(
      name: name,
      shape: { inputs, _ throws(ShapeError) in
        let dtype = try DType.common(name, inputs)
        guard !dtype.isFloatingPoint else { throw ShapeError(name, "the operands are \(dtype), not integers") }
        return TensorType(try Shape.broadcast(name, inputs), dtype)
      },
      gradient: .notDifferentiable,
      lower: .elementwise { builder, node, registers in
        let result = builder.emit(row, lane: node.dtype.lane, registers)
        return builder.narrow(result, to: node.dtype)
      })
  }

  /// A comparison or test, with `bool` results.
  static func predicate(_ row: ElementwiseRow) -> Op {
    let name = row.name
    return Op(
      name: name,
      shape: { inputs, _ throws(ShapeError) in
        _ = try DType.common(name, inputs)
        return TensorType(try Shape.broadcast(name, inputs), .bool)
      },
      gradient: .notDifferentiable,
      lower: .elementwise { builder, node, registers in
        builder.emit(row, lane: node.inputTypes[0].dtype.lane, result: .int32, registers)
      })
  }
}

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

  /// A scalar of this tensor's type. Its value is compiled into the plan, unlike the value of a `literal`.
  func constant(_ value: Double) -> Tensor {
    Tensor(repeating: value, shape: [], dtype: dtype, device: device)
  }

  /// A scalar operand for this tensor, by PyTorch's rule for Python scalars. It has the tensor's type, with two
  /// exceptions: it is `float32` if an integer or `bool` tensor meets a floating-point number, and `int64` if a `bool`
  /// tensor meets an integer.
  func literal<Number: TensorElement>(_ value: Number) -> Tensor {
    literal(value.number, isTruth: Number.dtype == .bool)
  }

  /// As the other `literal`, for a number that is given as a `Scalar`.
  /// - Parameter isTruth: whether the number is a Boolean.
  func literal(_ number: Scalar, isTruth: Bool = false) -> Tensor {
    var type = dtype
    if !type.isFloatingPoint {
      switch number {
      case .float: type = .float32
      case .integer: if type == .bool && !isTruth { type = .int64 }
      }
    }
    return .number(number.converted(to: type), dtype: type, device: device)
  }

  /// Compares with a number; an integer that the tensor's type cannot hold is compared as `int64`.
  func compared<Number: TensorElement>(_ op: Op, with value: Number) -> Tensor {
    compared(op, with: value.number, isTruth: Number.dtype == .bool)
  }

  /// Compares with a number that is given as a `Scalar`.
  func compared(_ op: Op, with number: Scalar, isTruth: Bool = false) -> Tensor {
    guard dtype.isInteger, case .integer = number, number.converted(to: dtype) != number else {
      return Tensor.binary(op, self, literal(number, isTruth: isTruth))
    }
    return Tensor.binary(op, cast(to: .int64), .number(number, dtype: .int64, device: device))
  }
}
