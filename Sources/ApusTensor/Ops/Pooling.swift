import ApusDevice

/// The kind, pass and sizes of a pooling node, on the heap: stored inline, they would enlarge every `Attributes` value.
final class PoolingBox: Sendable {
  let kind: Pooling.Kind
  let pass: Pooling.Pass
  let countsPadding: Bool
  let planes: Int
  let input: SIMD3<Int>
  let window: SIMD3<Int>
  let output: SIMD3<Int>
  let stride: SIMD3<Int>
  let padding: SIMD3<Int>
  let dilation: SIMD3<Int>
  /// The shapes of the input `x` and the result `y`, with as many spatial axes as the operation has.
  let inputShape: Shape
  let outputShape: Shape

  init(
    kind: Pooling.Kind, pass: Pooling.Pass, countsPadding: Bool, planes: Int, input: SIMD3<Int>,
    window: SIMD3<Int>, output: SIMD3<Int>, stride: SIMD3<Int>, padding: SIMD3<Int>,
    dilation: SIMD3<Int>, inputShape: Shape, outputShape: Shape
  ) {
    self.kind = kind
    self.pass = pass
    self.countsPadding = countsPadding
    self.planes = planes
    self.input = input
    self.window = window
    self.output = output
    self.stride = stride
    self.padding = padding
    self.dilation = dilation
    self.inputShape = inputShape
    self.outputShape = outputShape
  }

  /// The same windows in another pass.
  func with(_ pass: Pooling.Pass) -> PoolingBox {
    PoolingBox(
      kind: kind, pass: pass, countsPadding: countsPadding, planes: planes, input: input,
      window: window, output: output, stride: stride, padding: padding, dilation: dilation,
      inputShape: inputShape, outputShape: outputShape)
  }

  var resultShape: Shape { pass == .backward ? inputShape : outputShape }

  func append(to words: inout [UInt64]) {
    let kindNumber = kind == .maximum ? 0 : 1
    let passNumber = pass == .forward ? 0 : pass == .backward ? 1 : 2
    words.append(UInt64(kindNumber | passNumber << 2 | (countsPadding ? 16 : 0)))
    words.append(UInt64(planes))
    for triple in [input, window, output, stride, padding, dilation] {
      for axis in 0..<3 { words.append(UInt64(triple[axis])) }
    }
  }
}

extension Op {
  private static func poolingPass(
    _ name: String, method: String? = nil, gradient: @escaping @Sendable (GradientInput, PoolingBox) -> [Tensor?]
  ) -> Op {
    Op(
      name: name, method: method,
      shape: { inputs, attributes throws(ShapeError) in
        let box = attributes.pooling
        return TensorType(box.resultShape, try DType.common(method ?? name, inputs))
      },
      gradient: .rule { c in
        gradient(c, c.attributes.pooling)
      },
      lower: .step(
        StepLowering(
          epilogueDomain: { node in
            let box = node.attributes.pooling
            let extents = box.pass == .backward ? box.input : box.output
            return [box.planes, extents.x, extents.y, extents.z]
          },
          build: { node, operands in
            let box = node.attributes.pooling
            return .pooling(
              Pooling(
                kind: box.kind, pass: box.pass, countsPadding: box.countsPadding, planes: box.planes,
                input: box.input, window: box.window, output: box.output, stride: box.stride,
                padding: box.padding, dilation: box.dilation, left: operands.inputs[0].value,
                right: operands.inputs.count > 1 ? operands.inputs[1].value : nil,
                dtype: node.dtype, epilogue: operands.epilogue!))
          })))
  }
}

extension Tensor {
  private func pooled(
    _ op: Op, _ kind: Pooling.Kind, _ window: [Int], _ stride: [Int]?,
    _ padding: [(before: Int, after: Int)], _ dilation: [Int], _ roundsUp: Bool, countsPadding: Bool
  ) -> Tensor {
    do throws(ShapeError) {
      guard (3...5).contains(rank) else {
        throw ShapeError(op.method, "\(shape) must be [batch, channels, 1 to 3 spatial axes]")
      }
      let spatialRank = rank - 2
      let size = try Window.spread(op.method, "window", window, spatialRank, fill: 1)
      let slide = try Window(
        op.method, rank: spatialRank, stride: stride ?? window, padding: padding, dilation: dilation)
      for axis in 0..<3 where slide.before[axis] > size[axis] / 2 || slide.after[axis] > size[axis] / 2 {
        throw ShapeError(op.method, "padding \(padding) is more than half of the window \(window)")
      }
      let input = Window.spatial(shape)
      let output = try slide.outputs(op.method, input: input, kernel: size, roundsUp: roundsUp)
      let box = PoolingBox(
        kind: kind, pass: .forward, countsPadding: countsPadding, planes: shape[0] * shape[1],
        input: input, window: size, output: output, stride: slide.stride, padding: slide.before,
        dilation: slide.dilation, inputShape: shape,
        outputShape: ConvolutionBox.shape(shape[0], shape[1], output, rank: spatialRank))
      return Tensor(op, OpInputs(node), .pooling(box))
    } catch {
      error.report()
      return self
    }
  }
}

// MARK: - Maxima

extension Op {
  /// Computes `y` from `x`.
  static let maxPool: Op = poolingPass("maxPool", method: "maxPooled") { c, box in
    [Tensor(.maxPoolGradient, OpInputs(c.inputNode(0), c.gradient.node), .pooling(box.with(.backward)))]
  }

  /// Computes the gradient of `x` from `x` and the gradient of `y`. Only the second input gets a gradient.
  static let maxPoolGradient: Op = poolingPass("maxPoolGradient") { c, box in
    [nil, Tensor(.maxPoolSelect, OpInputs(c.inputNode(0), c.gradient.node), .pooling(box.with(.select)))]
  }

  /// Selects, for each window, the element of the second input at the position of the maximum of the first.
  static let maxPoolSelect: Op = poolingPass("maxPoolSelect") { c, box in
    [nil, Tensor(.maxPoolGradient, OpInputs(c.inputNode(0), c.gradient.node), .pooling(box.with(.backward)))]
  }
}

extension Tensor {
  /// The largest element of each window; positions outside of the input are ignored. The gradient goes to the first
  /// maximum in row-major order.
  ///
  /// - Parameters:
  ///   - window: the extents of the window, one for each spatial axis.
  ///   - stride: the distance between windows, one number for each spatial axis or one for all; by default the window's
  ///     extents.
  ///   - padding: elements before and after each axis, at most half of the window; one pair for each spatial axis or
  ///     one for all.
  ///   - dilation: the distance between the elements of a window, one number for each spatial axis or one for all.
  ///   - roundsUp: whether elements that remain at the end of an axis get a further window, which reaches beyond the
  ///     padding (PyTorch's `ceil_mode`). A further window must begin before the padding at the end.
  /// - Returns: `[batch, channels, ⌊(in + before + after − dilation·(window−1) − 1) / stride⌋ + 1…]` for
  ///   `self: [batch, channels, spatial…]`. If `self` is `[channels, spatial…]`, the result has no `batch` either.
  ///   There are as many spatial axes as `window` has extents.
  /// - Precondition: there are 1 to 3 spatial axes, and each window fits into its padded axis.
  public func maxPooled(
    _ window: [Int], stride: [Int]? = nil, padding: [(before: Int, after: Int)] = [(0, 0)],
    dilation: [Int] = [1], roundsUp: Bool = false
  ) -> Tensor {
    asBatch(ofRank: window.count + 2) {
      $0.pooled(.maxPool, .maximum, window, stride, padding, dilation, roundsUp, countsPadding: true)
    }
  }
}

// MARK: - Means

extension Op {
  static let averagePool: Op = poolingPass("averagePool", method: "averagePooled") { c, box in
    [Tensor(.averagePoolGradient, OpInputs(c.gradient.node), .pooling(box.with(.backward)))]
  }

  static let averagePoolGradient: Op = poolingPass("averagePoolGradient") { c, box in
    [Tensor(.averagePool, OpInputs(c.gradient.node), .pooling(box.with(.forward)))]
  }
}

extension Tensor {
  /// The mean of each window; means of integers are `float32`.
  ///
  /// - Parameters:
  ///   - window: as for `maxPooled`, likewise `stride`, `padding` and `roundsUp`.
  ///   - countsPadding: whether padding counts as zeros (PyTorch's default) or not at all. Positions beyond the
  ///     padding, which a window can reach with `roundsUp`, never count.
  /// - Returns: `[batch, channels, ⌊(in + before + after − window) / stride⌋ + 1…]` for
  ///   `self: [batch, channels, spatial…]`. If `self` is `[channels, spatial…]`, the result has no `batch` either.
  ///   There are as many spatial axes as `window` has extents.
  /// - Precondition: there are 1 to 3 spatial axes, and each window fits into its padded axis.
  public func averagePooled(
    _ window: [Int], stride: [Int]? = nil, padding: [(before: Int, after: Int)] = [(0, 0)],
    roundsUp: Bool = false, countsPadding: Bool = true
  ) -> Tensor {
    floating.asBatch(ofRank: window.count + 2) {
      let means = $0.pooled(
        .averagePool, .average, window, stride, padding, [1], roundsUp, countsPadding: countsPadding)
      return roundsUp && countsPadding ? means.countingUntilPaddingEnds(padding.map(\.after)) : means
    }
  }

  /// Corrects means that were divided by the full window size. The right divisor is the number of positions that are
  /// not beyond the padding. Only the last window of an axis can reach beyond the padding.
  private func countingUntilPaddingEnds(_ after: [Int]) -> Tensor {
    guard node.op === Op.averagePool, case .pooling(let box) = node.attributes else { return self }
    var result = self
    for axis in 2..<rank {
      let spatialAxis = axis + 3 - rank
      let last = box.output[spatialAxis] - 1
      let behind = after[after.count == 1 ? 0 : axis - 2]
      let rest = box.input[spatialAxis] + behind - (last * box.stride[spatialAxis] - box.padding[spatialAxis])
      guard rest < box.window[spatialAxis] else { continue }
      let isLast = Tensor.indices([last + 1], axis: 0, device: device) .== last
      let share = Double(box.window[spatialAxis]) / Double(rest)
      let along = Shape([last + 1] + Array(repeating: 1, count: rank - 1 - axis))
      result = result * isLast.select(constant(share), constant(1)).reshaped(to: along)
    }
    return result
  }
}
