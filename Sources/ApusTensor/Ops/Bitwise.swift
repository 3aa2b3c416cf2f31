import ApusDevice

extension Op {
  static let bitAnd = bitwise(.bitAnd)
  static let bitOr = bitwise(.bitOr)
  static let bitXor = bitwise(.bitXor)
  static let bitNot = bitwise(.bitNot)
  static let shiftLeft = bitwise(.shiftLeft, method: "shiftedLeft")
  static let shiftRight = bitwise(.shiftRight, method: "shiftedRight")
}

extension Tensor {
  /// The bits that are set in both elements, in the broadcast shape and promoted type of both.
  ///
  /// - Precondition: the elements are integers or `bool`.
  public func bitAnd(_ other: Tensor) -> Tensor { Tensor.binary(.bitAnd, self, other) }
  /// The bits that are set in an element and in the number, in the same shape.
  ///
  /// - Precondition: the tensor and the number are integers or Booleans.
  public func bitAnd<Number: TensorElement>(_ other: Number) -> Tensor { bitAnd(literal(other)) }
  /// The bits that are set in at least one of the two elements, in the broadcast shape and promoted type of both.
  ///
  /// - Precondition: the elements are integers or `bool`.
  public func bitOr(_ other: Tensor) -> Tensor { Tensor.binary(.bitOr, self, other) }
  /// The bits that are set in an element or in the number, in the same shape.
  ///
  /// - Precondition: the tensor and the number are integers or Booleans.
  public func bitOr<Number: TensorElement>(_ other: Number) -> Tensor { bitOr(literal(other)) }
  /// The bits that are set in exactly one of the two elements, in the broadcast shape and promoted type of both.
  ///
  /// - Precondition: the elements are integers or `bool`.
  public func bitXor(_ other: Tensor) -> Tensor { Tensor.binary(.bitXor, self, other) }
  /// The bits that are set in exactly one of an element and the number, in the same shape.
  ///
  /// - Precondition: the tensor and the number are integers or Booleans.
  public func bitXor<Number: TensorElement>(_ other: Number) -> Tensor { bitXor(literal(other)) }
  /// All bits of each element inverted, in the same shape and type; for `bool`, the logical negation.
  ///
  /// - Precondition: the elements are integers or `bool`.
  public func bitNot() -> Tensor { dtype == .bool ? logicalNot() : Tensor(.bitNot, OpInputs(node)) }
  /// The bits of each element shifted left, in the broadcast shape and promoted type of both (`int32` for two `bool`
  /// tensors); 0 for counts of the type's width or more, and for negative counts.
  ///
  /// - Precondition: the elements are integers or `bool`.
  public func shiftedLeft(by bits: Tensor) -> Tensor { Tensor.arithmetic(.shiftLeft, self, bits) }
  /// The bits of each element shifted left, in the same shape; 0 for counts of the type's width or more, and for
  /// negative counts.
  ///
  /// - Precondition: the tensor and the number are integers or Booleans.
  public func shiftedLeft<Number: TensorElement>(by bits: Number) -> Tensor { shiftedLeft(by: literal(bits)) }
  /// The bits of each element shifted right and filled with zeros, in the broadcast shape and promoted type of both
  /// (`int32` for two `bool` tensors); 0 for counts of the type's width or more, and for negative counts. In `int8`,
  /// negative elements are an exception. They are extended to `int32` and then shifted: up to a count of 24, the bits
  /// that enter the result are ones, and only counts of 32 or more give 0.
  ///
  /// - Precondition: the elements are integers or `bool`.
  public func shiftedRight(by bits: Tensor) -> Tensor { Tensor.arithmetic(.shiftRight, self, bits) }
  /// The bits of each element shifted right and filled with zeros, in the same shape. Large counts and negative
  /// elements are treated as in `shiftedRight(by:)` for a tensor.
  ///
  /// - Precondition: the tensor and the number are integers or Booleans.
  public func shiftedRight<Number: TensorElement>(by bits: Number) -> Tensor { shiftedRight(by: literal(bits)) }
}
