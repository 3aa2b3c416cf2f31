import ApusDevice

// Operations that are defined by a row (a macro entry) of `elementwise.def`. `method` is the public method or operator
// that builds the operation, by default the name of the row.

extension Op {
  /// A function of one value. If the row exists only for floating-point numbers, the `Tensor` method converts integers
  /// and `bool` to `float32` first.
  static func function(_ row: ElementwiseRow, method: String? = nil, gradient: GradientRule) -> Op {
    Op(
      name: row.name, method: method,
      shape: { inputs, _ throws(ShapeError) in TensorType(inputs.shape(0), inputs.dtype(0)) },
      gradient: gradient,
      lower: .row(row))
  }

  /// A function of two values of one type, with broadcasting.
  static func binary(_ row: ElementwiseRow, method: String? = nil, gradient: GradientRule) -> Op {
    let method = method ?? row.name
    return Op(
      name: row.name, method: method,
      shape: { inputs, _ throws(ShapeError) in
        TensorType(try Shape.broadcast(method, inputs), try DType.common(method, inputs))
      },
      gradient: gradient,
      lower: .row(row))
  }

  /// A function of the bits of integers.
  static func bitwise(_ row: ElementwiseRow, method: String? = nil) -> Op {
    let method = method ?? row.name
    return Op(
      name: row.name, method: method,
      shape: { inputs, _ throws(ShapeError) in
        let dtype = try DType.common(method, inputs)
        guard !dtype.isFloatingPoint else { throw ShapeError(method, "the operands are \(dtype), not integers") }
        return TensorType(try Shape.broadcast(method, inputs), dtype)
      },
      gradient: .notDifferentiable,
      lower: .row(row))
  }

  /// A comparison or test, with `bool` results.
  static func predicate(_ row: ElementwiseRow, method: String? = nil) -> Op {
    let method = method ?? row.name
    return Op(
      name: row.name, method: method,
      shape: { inputs, _ throws(ShapeError) in
        _ = try DType.common(method, inputs)
        return TensorType(try Shape.broadcast(method, inputs), .bool)
      },
      gradient: .notDifferentiable,
      lower: .elementwise { builder, node, registers in
        builder.emit(row, lane: node.inputTypes[0].dtype.lane, result: .int32, registers)
      })
  }
}

extension Lowering {
  /// Calls the function of a row, and converts its result to the type of the node.
  fileprivate static func row(_ row: ElementwiseRow) -> Lowering {
    .elementwise { builder, node, registers in
      builder.narrow(builder.emit(row, lane: node.dtype.lane, registers), to: node.dtype)
    }
  }
}

/// A row of `elementwise.def` as a function of tensors, without a gradient. Benchmarks measure rows with it.
package struct ElementwiseFunction: Sendable {
  /// The name of the row, such as `floorDivide`.
  package let name: String
  /// The number of operands: 1 or 2.
  package let operandCount: Int
  private let op: Op

  private init(_ row: ElementwiseRow) {
    (name, operandCount) = (row.name, row.operandCount)
    op = operandCount == 1 ? .function(row, gradient: .notDifferentiable) : .binary(row, gradient: .notDifferentiable)
  }

  /// The functions that take longer on CPUs than a load and a store of an element.
  package static let costly = ElementwiseRow.allCases.filter { !$0.isCheap }.map(ElementwiseFunction.init)

  /// - Parameter operands: `operandCount` tensors of one floating-point type, of shapes that broadcast.
  package func callAsFunction(_ operands: [Tensor]) -> Tensor {
    let first = operands[0].node
    return Tensor(op, operandCount == 1 ? OpInputs(first) : OpInputs(first, operands[1].node))
  }
}
