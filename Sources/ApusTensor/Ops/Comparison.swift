import ApusDevice

// MARK: - Conversion

extension Op {
  /// Input: a tensor of any type. The result's type is in the attributes.
  static let cast: Op = Op(
    name: "cast",
    shape: { inputs, attributes throws(ShapeError) in
      TensorType(inputs[0].shape, DType(rawValue: UInt8(attributes.integers[0]))!)
    },
    gradient: .rule { c in [c.gradient.cast(to: c.input(0).dtype)] },
    lower: .elementwise { builder, node, registers in
      builder.cast(registers[0], from: node.inputTypes[0].dtype, to: node.dtype)
    })
}

extension Tensor {
  /// The elements converted to another type, in the same shape. Conversion to a narrower floating-point type rounds to
  /// nearest even. Conversion to an integer type truncates toward zero; NaN becomes 0, and values out of range are
  /// clamped to `int32` or `int64`, then wrapped to 8 bits for 8-bit types. Conversion to `bool` tests for nonzero.
  public func cast(to dtype: DType) -> Tensor {
    if dtype == self.dtype { return self }
    return Tensor(.cast, OpInputs(node), .integers([Int(dtype.rawValue)]))
  }
}

// MARK: - Selection

extension Op {
  /// Inputs: condition (`bool`), the value where it holds, the value elsewhere.
  static let select: Op = Op(
    name: "select",
    shape: { inputs, _ throws(ShapeError) in
      guard inputs[0].dtype == .bool else {
        throw ShapeError("select", "the condition is \(inputs[0].dtype), not bool")
      }
      guard inputs[1].dtype == inputs[2].dtype else {
        throw ShapeError("select", "element types \(inputs[1].dtype) and \(inputs[2].dtype) differ")
      }
      return TensorType(try Shape.broadcast("select", inputs), inputs[1].dtype)
    },
    gradient: .rule { c in
      let zero = Tensor.number(0, dtype: c.gradient.dtype, device: c.gradient.device)
      return [
        nil,
        c.isNeeded(1) ? c.input(0).select(c.gradient, zero) : nil,
        c.isNeeded(2) ? c.input(0).select(zero, c.gradient) : nil,
      ]
    },
    lower: .elementwise { builder, node, registers in
      builder.emit(.select, lane: node.dtype.lane, registers)
    })
}

extension Tensor {
  /// `then` where this tensor, the condition, is true, and `other` elsewhere (`torch.where`). If the condition is not
  /// `bool`, it is true where it is not 0. The result has the broadcast shape of all three tensors, and the promoted
  /// type of `then` and `other`. `replacing(where:with:)` keeps the type of the tensor that it changes.
  public func select(_ then: Tensor, _ other: Tensor) -> Tensor {
    let dtype = Tensor.promotedType([then, other])
    return Tensor(
      .select, OpInputs(truth.node, then.cast(to: dtype).node, other.cast(to: dtype).node))
  }
  /// `then` where this tensor, the condition, is true, and the number elsewhere, in the broadcast shape of both
  /// tensors.
  public func select<Number: TensorElement>(_ then: Tensor, _ other: Number) -> Tensor {
    select(then, then.literal(other))
  }
  /// The number where this tensor, the condition, is true, and `other` elsewhere, in the broadcast shape of both
  /// tensors.
  public func select<Number: TensorElement>(_ then: Number, _ other: Tensor) -> Tensor {
    select(other.literal(then), other)
  }
  /// `then` where this tensor, the condition, is true, and the number elsewhere, in the broadcast shape of both
  /// tensors.
  public func select(_ then: Tensor, _ other: Double) -> Tensor { select(then, then.literal(other)) }
  /// The number where this tensor, the condition, is true, and `other` elsewhere, in the broadcast shape of both
  /// tensors.
  public func select(_ then: Double, _ other: Tensor) -> Tensor { select(other.literal(then), other) }
}

// MARK: - Comparisons and tests

extension Op {
  static let equal = predicate(.equal, method: ".==")
  static let notEqual = predicate(.notEqual, method: ".!=")
  static let less = predicate(.less, method: ".<")
  static let lessOrEqual = predicate(.lessOrEqual, method: ".<=")
  static let greater = predicate(.greater, method: ".>")
  static let greaterOrEqual = predicate(.greaterOrEqual, method: ".>=")
  static let isNaN = predicate(.isNaN)
  static let isFinite = predicate(.isFinite)
  static let isInfinite = predicate(.isInfinite)
  static let logicalAnd = predicate(.logicalAnd)
  static let logicalOr = predicate(.logicalOr)
  static let logicalXor = predicate(.logicalXor)
  static let logicalNot = predicate(.logicalNot)
}

extension Tensor {
  /// Whether each element is NaN: `bool`, in the same shape.
  public func isNaN() -> Tensor { apply(.isNaN) }
  /// Whether each element is neither infinite nor NaN: `bool`, in the same shape.
  public func isFinite() -> Tensor { apply(.isFinite) }
  /// Whether each element is infinite: `bool`, in the same shape.
  public func isInfinite() -> Tensor { apply(.isInfinite) }

  /// Whether neither of the two elements is 0: `bool`, in the broadcast shape of both.
  public func logicalAnd(_ other: Tensor) -> Tensor { Tensor.binary(.logicalAnd, truth, other.truth) }
  /// Whether at least one of the two elements is not 0: `bool`, in the broadcast shape of both.
  public func logicalOr(_ other: Tensor) -> Tensor { Tensor.binary(.logicalOr, truth, other.truth) }
  /// Whether exactly one of the two elements is not 0: `bool`, in the broadcast shape of both.
  public func logicalXor(_ other: Tensor) -> Tensor { Tensor.binary(.logicalXor, truth, other.truth) }
  /// Whether each element is 0: `bool`, in the same shape.
  public func logicalNot() -> Tensor { Tensor(.logicalNot, OpInputs(truth.node)) }

  private var truth: Tensor { cast(to: .bool) }
}

// MARK: - Closeness

extension Tensor {
  /// Whether `|self − other| ≤ absolute + relative · |other|`: `bool`, in the broadcast shape of both. Infinities are
  /// close only if they are equal.
  ///
  /// - Parameter equatesNaN: whether NaN is close to NaN.
  public func isClose(
    to other: Tensor, relative: Double = 1e-5, absolute: Double = 1e-8, equatesNaN: Bool = false
  ) -> Tensor {
    guard Tensor.canBroadcast(OpInputs(node, other.node), for: "isClose") else { return cast(to: .bool) }
    let dtype = Tensor.promotedType([self, other])
    let (x, y) = (cast(to: dtype).wideLane.floating, other.cast(to: dtype).wideLane.floating)
    // Integers are subtracted as integers: as `float32`, different large ones would be equal.
    let difference = dtype.isFloatingPoint ? x - y : (cast(to: .int64) - other.cast(to: .int64)).floating
    let isNear = difference.abs() .<= y.abs() * relative + absolute
    // An infinite `other` makes the bound infinite, so the test also requires that `other` is finite.
    let result = isNear.logicalAnd(y.isFinite()).logicalOr(self .== other)
    guard equatesNaN else { return result }
    return result.logicalOr(x.isNaN().logicalAnd(y.isNaN()))
  }
}
