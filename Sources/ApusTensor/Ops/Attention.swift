import ApusDevice

/// What attention is, beside its tensors.
package struct AttentionOptions: Hashable, Sendable {
  package var scale: Double
  package var isCausal: Bool

  package init(scale: Double, isCausal: Bool) {
    self.scale = scale
    self.isCausal = isCausal
  }
}

extension Op {
  /// Inputs: queries, keys and values of four axes, the offset, the mask. Attributes: those of `AttentionParts`.
  ///
  /// Derivatives are those of a rule of the family's, which names the definition.
  static let attention = attention("attention", .forward)

  /// Inputs: queries, keys and values of four axes, the result of `attention`, the gradient, the offset, the mask.
  static let attentionGradient = attention("attentionGradient", .backward)

  private static func attention(_ name: String, _ pass: Attention.Pass) -> Op {
    let maskStart = pass == .forward ? 3 : 5
    return Op(
      name: name,
      shape: { inputs, attributes throws(ShapeError) in
        let geometry = Attention.Geometry(inputs[0].shape, inputs[1].shape, inputs[2].shape)
        return TensorType([geometry.resultCount(pass)], inputs[0].dtype)
      },
      gradient: .notDifferentiable,
      lower: .step(
        StepLowering(
          accepts: { index, layout in
            guard layout.shape.rank == 4 else { return layout.isIdentity }
            return index >= maskStart || isRows(layout)
          },
          build: { node, operands in
            let parts = AttentionParts(node.attributes.integers)
            let inputs = operands.inputs
            var masks = inputs[maskStart...]
            let offset = parts.hasOffset ? masks.removeFirst().value : nil
            return .attention(
              Attention(
                pass: pass,
                geometry: .init(inputs[0].layout.shape, inputs[1].layout.shape, inputs[2].layout.shape),
                scale: parts.scale, isCausal: parts.isCausal, offset: offset, mask: masks.first, dtype: node.dtype,
                query: inputs[0], key: inputs[1], value: inputs[2],
                forward: pass == .forward ? nil : inputs[3].value, gradient: pass == .forward ? nil : inputs[4],
                result: operands.result))
          })))
  }

  /// Whether the elements of a row follow each other, and rows do not overlap.
  private static func isRows(_ layout: Layout) -> Bool {
    let (row, width) = (layout.strides[2], layout.shape[3])
    return (layout.strides[3] == 1 || width == 1) && (row >= width || layout.shape[2] == 1)
  }
}

extension Attention.Geometry {
  fileprivate init(_ query: Shape, _ key: Shape, _ value: Shape) {
    self.init(
      batch: query[0], heads: query[1], groups: key[1], queries: query[2], keys: key[2], size: query[3],
      width: value[3])
  }
}

/// The attributes of attention as integers.
private struct AttentionParts {
  var isCausal: Bool
  var hasOffset: Bool
  var scale: Double

  init(_ integers: [Int]) {
    isCausal = integers[0] == 1
    hasOffset = integers[1] == 1
    scale = Double(bitPattern: UInt64(bitPattern: Int64(integers[2])))
  }

  static func attributes(_ options: AttentionOptions, _ offset: Tensor?) -> Attributes {
    .integers([
      options.isCausal ? 1 : 0, offset == nil ? 0 : 1, Int(Int64(bitPattern: options.scale.bitPattern)),
    ])
  }
}

extension Tensor {
  /// The greatest extent of a query, key or value that devices hold in registers.
  package static let attentionLimit = 256

  /// Attention as one step: the output `[batch, heads, queries, width]`, and what the gradient needs.
  ///
  /// Its derivatives are the caller's business. All tensors are of one type, `float32` or `float64`, with four axes of
  /// which none is empty, the last of them at most `attentionLimit`.
  ///
  /// - Parameters:
  ///   - offset: one `int64`.
  ///   - mask: `bool`, `[batch, heads, queries, keys]`.
  package static func attention(
    _ query: Tensor, _ key: Tensor, _ value: Tensor, offset: Tensor?, mask: Tensor?, _ options: AttentionOptions
  ) -> (output: Tensor, whole: Tensor) {
    let inputs = [query, key, value] + [offset, mask].compactMap(\.self)
    let whole = Tensor(.attention, OpInputs(list: inputs.map(\.node)), AttentionParts.attributes(options, offset))
    let shape: Shape = [query.shape[0], query.shape[1], query.shape[2], value.shape[3]]
    return (whole.slice(0, from: 0, count: shape.elementCount).reshaped(to: shape), whole)
  }

  /// The gradients of queries, keys and values as one step, from that of the output.
  /// - Parameter whole: what `attention` gave.
  package static func attentionGradients(
    _ gradient: Tensor, _ query: Tensor, _ key: Tensor, _ value: Tensor, whole: Tensor, offset: Tensor?, mask: Tensor?,
    _ options: AttentionOptions
  ) -> [Tensor] {
    let inputs = [query, key, value, whole, gradient] + [offset, mask].compactMap(\.self)
    let found = Tensor(.attentionGradient, OpInputs(list: inputs.map(\.node)), AttentionParts.attributes(options, offset))
    let parts = found.split(into: [query, key, value].map(\.elementCount))
    return zip(parts, [query, key, value]).map { $0.reshaped(to: $1.shape) }
  }
}
