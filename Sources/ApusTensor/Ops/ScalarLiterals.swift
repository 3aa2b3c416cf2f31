import ApusDevice

extension Tensor {
  /// A scalar of this tensor's type. Its value is part of the plan; the value of a `literal` is passed to each run.
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
