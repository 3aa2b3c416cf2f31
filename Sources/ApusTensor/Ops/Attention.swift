import ApusDevice

/// The probability with which dropout drops an element.
package typealias DropoutRate = ApusDevice.DropoutRate

/// The settings of attention other than queries, keys and values.
package struct AttentionOptions: Sendable {
  package var scale: Double
  package var isCausal: Bool
  /// One `int64`: the number of keys before the first query.
  package var offset: Tensor?
  /// `bool`, `[batch, heads, queries, keys]`: true where a query may attend to a key.
  package var open: Tensor?
  /// The rule that drops weights: a weight is dropped where `Tensor.bernoulli(probability: 1 − rate)` with the random
  /// key is false.
  package var dropout: Dropout?

  package init(scale: Double, isCausal: Bool, offset: Tensor?, open: Tensor?, dropout: Dropout?) {
    self.scale = scale
    self.isCausal = isCausal
    self.offset = offset
    self.open = open
    self.dropout = dropout
  }

  /// The rate and the random key of dropout.
  package struct Dropout: Hashable, Sendable {
    package var rate: Double
    package var key: RandomKey

    package init(rate: Double, key: RandomKey) {
      self.rate = rate
      self.key = key
    }
  }
}

extension Op {
  /// Inputs: queries, keys and values with four axes, then the optional inputs in the order of `AttentionParts.Input`.
  /// `AttentionParts` encodes and decodes the attributes.
  ///
  /// A custom gradient around the operation defines its derivatives, see `FusedOperation`.
  static let attention = attention("attention", .forward)

  /// Inputs: queries, keys and values with four axes, the result of `attention`, the gradient of its output, then the
  /// optional inputs in the order of `AttentionParts.Input`.
  static let attentionGradient = attention("attentionGradient", .backward)

  private static func attention(_ name: String, _ pass: Attention.Pass) -> Op {
    let start = pass == .forward ? 3 : 5
    return Op(
      name: name,
      shape: { inputs, attributes throws(ShapeError) in
        let geometry = Attention.Geometry(inputs[0].shape, inputs[1].shape, inputs[2].shape)
        return TensorType([geometry.resultCount(pass)], inputs[0].dtype)
      },
      gradient: .definedByCaller,
      lower: .step(
        StepLowering(
          accepts: { index, layout in
            guard layout.shape.rank == 4 else { return layout.isIdentity }
            return index >= start || isRows(layout)
          },
          readsNumber: { node, index in
            [.seed, .counter].contains(AttentionParts(node.attributes.integers).input(index - start))
          },
          build: { node, operands in
            let parts = AttentionParts(node.attributes.integers)
            let inputs = operands.inputs
            func index(of input: AttentionParts.Input) -> Int? { parts.index(of: input).map { $0 + start } }
            let dropout = index(of: .seed).map {
              Attention.Dropout(seed: operands.scalars[$0], counter: operands.scalars[$0 + 1], rate: parts.rate)
            }
            return .attention(
              Attention(
                pass: pass,
                geometry: .init(inputs[0].layout.shape, inputs[1].layout.shape, inputs[2].layout.shape),
                scale: parts.scale, isCausal: parts.isCausal, offset: index(of: .offset).map { inputs[$0].value },
                mask: index(of: .open).map { inputs[$0] }, added: index(of: .added).map { inputs[$0] },
                dropout: dropout, dtype: node.dtype, factorDtype: operands.dtypes[0],
                query: inputs[0], key: inputs[1], value: inputs[2],
                forward: pass == .forward ? nil : inputs[3].value, gradient: pass == .forward ? nil : inputs[4],
                result: operands.result))
          })))
  }

  /// Whether the elements of each row, along the last axis, are contiguous and the rows do not overlap.
  private static func isRows(_ layout: Layout) -> Bool {
    let (row, width) = (layout.strides[2], layout.shape[3])
    return (layout.strides[3] == 1 || width == 1) && (row >= width || layout.shape[2] == 1)
  }
}

extension Attention.Geometry {
  init(_ query: Shape, _ key: Shape, _ value: Shape) {
    self.init(
      batch: query[0], heads: query[1], groups: key[1], queries: query[2], keys: key[2], size: query[3],
      width: value[3])
  }
}

/// The attributes of an attention node, encoded as integers: the settings, and which optional inputs the node has.
private struct AttentionParts {
  /// The optional inputs, in order.
  enum Input: CaseIterable {
    case offset, open, added, seed, counter
  }

  var isCausal: Bool
  var scale: Double
  var rate: Double
  private var inputs: [Input]

  init(_ integers: [Int]) {
    isCausal = integers[0] == 1
    scale = Double(bitPattern: UInt64(bitPattern: Int64(integers[1])))
    rate = Double(bitPattern: UInt64(bitPattern: Int64(integers[2])))
    inputs = zip(Input.allCases, integers[3...]).filter { $1 == 1 }.map(\.0)
  }

  /// The optional input at `index` among those that are present.
  func input(_ index: Int) -> Input? { inputs.indices.contains(index) ? inputs[index] : nil }
  /// The index of an optional input among those that are present.
  func index(of input: Input) -> Int? { inputs.firstIndex(of: input) }

  /// Builds the node from its first inputs, the added tensor and the options.
  static func tensor(_ op: Op, _ first: [Tensor], added: Tensor?, _ options: AttentionOptions) -> Tensor {
    let numbers = options.dropout?.key.numbers(first[0].device)
    let others = [options.offset, options.open, added, numbers?[0], numbers?[1]]
    func integer(_ number: Double) -> Int { Int(Int64(bitPattern: number.bitPattern)) }
    let integers = [options.isCausal ? 1 : 0, integer(options.scale), integer(options.dropout?.rate ?? 0)]
    return Tensor(
      op, OpInputs(list: (first + others.compactMap(\.self)).map(\.node)),
      .integers(integers + others.map { $0 == nil ? 0 : 1 }))
  }
}

extension Tensor {
  /// The largest extent of the last axis of queries, keys and values. Devices hold a vector along this axis in
  /// registers.
  package static let attentionLimit = 256

  /// Attention as one step. Returns the output `[batch, heads, queries, width]`, and `whole`, which the gradient needs.
  /// `whole` has the elements of the output, followed by the log-sum-exp of the scores of each query.
  ///
  /// This function alone has no derivatives: the caller defines them. Queries, keys, values and `added` have one type,
  /// `float32` or `float64`, and four non-empty axes; the last axis of queries, keys and values has at most
  /// `attentionLimit` elements.
  ///
  /// - Parameter added: `[batch, heads, queries, keys]`, added to the scaled products of queries and keys.
  package static func attention(
    _ query: Tensor, _ key: Tensor, _ value: Tensor, added: Tensor?, _ options: AttentionOptions
  ) -> (output: Tensor, whole: Tensor) {
    let whole = AttentionParts.tensor(.attention, [query, key, value], added: added, options)
    let shape: Shape = [query.shape[0], query.shape[1], query.shape[2], value.shape[3]]
    return (whole.slice(axis: 0, from: 0, count: shape.elementCount).reshaped(to: shape), whole)
  }

  /// The gradients of queries, keys and values as one step, from the gradient of the output.
  /// - Parameter whole: the `whole` result of `attention`.
  package static func attentionGradients(
    _ gradient: Tensor, _ query: Tensor, _ key: Tensor, _ value: Tensor, added: Tensor?, whole: Tensor,
    _ options: AttentionOptions
  ) -> [Tensor] {
    let inputs = [query, key, value, whole, gradient]
    let found = AttentionParts.tensor(.attentionGradient, inputs, added: added, options)
    let parts = found.split(into: [query, key, value].map(\.elementCount))
    return zip(parts, [query, key, value]).map { $0.reshaped(to: $1.shape) }
  }
}
