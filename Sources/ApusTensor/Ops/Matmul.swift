import ApusDevice

extension Op {
  /// Inputs `[…, m, k]` and `[…, k, n]`, leading axes broadcast; result `[…, m, n]`.
  static let matmul: Op = Op(
    name: "matmul",
    shape: { inputs, _ throws(ShapeError) in
      let (a, b) = (inputs[0].shape, inputs[1].shape)
      guard a.rank >= 2, b.rank >= 2, a[a.rank - 1] == b[b.rank - 2] else {
        throw differentTerms(a, b)
      }
      let batch = Shape(a.dropLast(2)).broadcast(with: Shape(b.dropLast(2)))
      guard var shape = batch else {
        throw ShapeError("matmul", "the leading axes of \(a) and \(b) do not broadcast")
      }
      shape.append(a[a.rank - 2])
      shape.append(b[b.rank - 1])
      return TensorType(shape, try DType.common("matmul", inputs).product)
    },
    gradient: .rule { c in
      let (a, b, g) = (c.input(0), c.input(1), c.gradient)
      return PrecisionScope.run(.inputs(c.attributes.inputPrecision)) {
        [
          c.isNeeded(0) ? g.matmul(b.transposed()) : nil,
          c.isNeeded(1) ? a.transposedProduct(g, like: b) : nil,
        ]
      }
    },
    lower: .step(
      StepLowering(
        accepts: { _, layout in isMatrix(layout) },
        epilogueDomain: { $0.shape },
        build: { node, operands in
          let shape = node.shape
          let batch = Shape(shape.dropLast(2))
          func spread(_ operand: Operand) -> Operand {
            let layout = operand.layout
            let target = Shape(Array(batch) + layout.shape.suffix(2))
            return Operand(value: operand.value, layout: layout.broadcast(to: target))
          }
          let (a, b) = (spread(operands.inputs[0]), spread(operands.inputs[1]))
          return .matmul(
            Matmul(
              batch: batch, m: shape[shape.rank - 2], n: shape[shape.rank - 1],
              k: a.layout.shape[shape.rank - 1], a: a, b: b, dtype: operands.dtypes[0],
              factorDtype: node.factorDtype, inputPrecision: node.attributes.inputPrecision,
              epilogue: operands.epilogue!))
        })))

  fileprivate static func differentTerms(_ a: Shape, _ b: Shape) -> ShapeError {
    ShapeError(
      "matmul", "the last axis of \(a) must equal the \(b.rank == 1 ? "axis" : "second-to-last axis") of \(b)")
  }

  /// Whether a product can read matrices with this layout: one of the last two axes has stride 1, and the stride of the
  /// other is at least the extent of the axis with stride 1.
  private static func isMatrix(_ layout: Layout) -> Bool {
    let rank = layout.shape.rank
    let (rows, columns) = (layout.shape[rank - 2], layout.shape[rank - 1])
    let (down, across) = (layout.strides[rank - 2], layout.strides[rank - 1])
    return across == 1 && down >= max(columns, 1) || down == 1 && across >= max(rows, 1)
  }
}

extension Attributes {
  /// The attributes of a matrix product whose factors a device may round to `precision`.
  fileprivate static func of(_ precision: InputPrecision) -> Attributes {
    precision == .float32 ? .none : .integers([precision.rawValue])
  }

  fileprivate var inputPrecision: InputPrecision {
    guard case .integers(let values) = self else { return .float32 }
    return InputPrecision(rawValue: values[0])!
  }
}

extension Tensor {
  /// The matrix product. `[m, k] · [k, n]` gives `[m, n]`; leading axes are batches and broadcast; a vector counts as a
  /// row on the left and as a column on the right. Types are promoted; products of `int8`, `uint8` and `bool` are
  /// `int32`.
  ///
  /// - Precondition: both tensors have at least one axis, and the extents `k` are equal.
  public func matmul(_ other: Tensor) -> Tensor {
    guard rank > 0, other.rank > 0 else {
      ShapeError("matmul", "\(shape) and \(other.shape) must have at least one axis").report()
      return self
    }
    // Vectors are checked here: the operation gets them as matrices, so its error would name other shapes.
    let terms = (shape[rank - 1], other.shape[Swift.max(other.rank - 2, 0)])
    guard rank > 1 && other.rank > 1 || terms.0 == terms.1 else {
      Op.differentTerms(shape, other.shape).report()
      return self
    }
    if rank == 1 { return expandingAxis(at: 0).matmul(other).squeezingAxis(at: other.rank == 1 ? 0 : -2) }
    if other.rank == 1 { return matmul(other.expandingAxis(at: 1)).squeezingAxis(at: -1) }
    let (a, b) = Tensor.factors(self, other)
    let dtype = DType.promoted(a.dtype, b.dtype)
    let type = dtype == .bool ? .int32 : dtype
    return Tensor(
      .matmul, OpInputs(a.cast(to: type).node, b.cast(to: type).node),
      .of(type == .float32 ? PrecisionScope.current.inputPrecision : .float32))
  }

  /// `selfᵀ · gradient`. If `target` is a matrix, the product is summed over the batch axes. Otherwise it keeps them,
  /// and is later summed to the shape of `target`, as every gradient.
  fileprivate func transposedProduct(_ gradient: Tensor, like target: Tensor) -> Tensor {
    guard target.rank == 2, rank > 2 else { return transposed().matmul(gradient) }
    // This computes one product over the rows of all batches instead of one product for each batch.
    let batch = Shape(gradient.shape.dropLast(2))
    let count = batch.elementCount * shape[rank - 2]
    let rows = broadcast(to: Shape(Array(batch) + shape.suffix(2))).reshaped(to: [count, shape[rank - 1]])
    return rows.transposed().matmul(gradient.reshaped(to: [count, gradient.shape[gradient.rank - 1]]))
  }
}

extension Tensor {
  /// The products `y[i, j] = x[i] · other[j]` of two vectors `[m]` and `[n]`: `[m, n]`.
  ///
  /// - Precondition: both tensors have one axis.
  public func outer(_ other: Tensor) -> Tensor {
    guard rank == 1, other.rank == 1 else {
      ShapeError("outer", "\(shape) and \(other.shape) must be vectors").report()
      return self
    }
    return expandingAxis(at: 1) * other
  }
}
