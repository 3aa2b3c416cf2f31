import ApusDevice

/// The pass (convolution, input gradient or weight gradient), the sizes and the precision of a convolution node; a class,
/// so that the node stores only a reference.
final class ConvolutionBox: Sendable {
  let pass: Convolution.Pass
  let geometry: ConvolutionGeometry
  let inputPrecision: InputPrecision
  /// The result's shape, with as many spatial axes as the operation has.
  let shape: Shape
  /// The order of the images' channels, as chosen by the planner.
  let order: Convolution.Order

  init(
    pass: Convolution.Pass, geometry: ConvolutionGeometry, inputPrecision: InputPrecision, shape: Shape,
    order: Convolution.Order = .channelsFirst
  ) {
    self.pass = pass
    self.geometry = geometry
    self.inputPrecision = inputPrecision
    self.shape = shape
    self.order = order
  }

  func append(to words: inout [UInt64]) {
    let g = geometry
    let pass: Int =
      switch pass {
      case .output: 0
      case .inputGradient: 1
      case .weightGradient: 2
      }
    for number in [pass, inputPrecision.rawValue, g.batch, g.groups, g.inputChannels, g.outputChannels] {
      words.append(UInt64(number))
    }
    for triple in [g.input, g.kernel, g.output, g.stride, g.padding, g.dilation] {
      for axis in 0..<3 { words.append(UInt64(bitPattern: Int64(triple[axis]))) }
    }
  }
}

extension ConvolutionBox {
  /// The result's shape with all three spatial axes.
  var resultShape: Shape {
    let g = geometry
    func image(_ channels: Int, _ extents: SIMD3<Int>) -> Shape {
      order != .channelsFirst
        ? [g.batch, extents.x, extents.y, extents.z, channels] : [g.batch, channels, extents.x, extents.y, extents.z]
    }
    switch pass {
    case .output: return image(g.outputChannels, g.output)
    case .inputGradient: return image(g.inputChannels, g.input)
    case .weightGradient:
      return [g.outputChannels, g.inputChannels / g.groups, g.kernel.x, g.kernel.y, g.kernel.z]
    }
  }
}

extension Op {
  private static func convolutionPass(
    _ name: String, method: String? = nil, gradient: @escaping @Sendable (GradientInput, ConvolutionBox) -> [Tensor?]
  ) -> Op {
    Op(
      name: name, method: method,
      shape: { inputs, attributes throws(ShapeError) in
        let box = attributes.convolution
        return TensorType(box.shape, try DType.common(method ?? name, inputs).product)
      },
      gradient: .rule { c in
        gradient(c, c.attributes.convolution)
      },
      lower: .step(
        StepLowering(
          epilogueDomain: { node in
            node.attributes.convolution.resultShape
          },
          build: { node, operands in
            let box = node.attributes.convolution
            return .convolution(
              Convolution(
                pass: box.pass, geometry: box.geometry, order: box.order,
                left: operands.inputs[0].value,
                right: operands.inputs[1].value, dtype: operands.dtypes[0], factorDtype: node.factorDtype,
                inputPrecision: box.inputPrecision, epilogue: operands.epilogue!))
          })))
  }
}

extension Tensor {
  fileprivate static func convolutionPass(
    _ op: Op, _ box: ConvolutionBox, _ pass: Convolution.Pass, _ left: Tensor, _ right: Tensor,
    like target: Tensor
  ) -> Tensor {
    let sizes = ConvolutionBox(
      pass: pass, geometry: box.geometry, inputPrecision: box.inputPrecision, shape: target.shape)
    return Tensor(op, OpInputs(left.node, right.node), .convolution(sizes))
  }
}

// MARK: - Convolution and its gradients

extension Op {
  /// Computes the convolution `y` of the images `x` with the weights `w`.
  static let convolution: Op = convolutionPass("convolution", method: "convolved") { c, box in
    let (x, w, g) = (c.input(0), c.input(1), c.gradient)
    return [
      c.isNeeded(0) ? Tensor.convolutionPass(.convolutionInputGradient, box, .inputGradient, g, w, like: x) : nil,
      c.isNeeded(1) ? Tensor.convolutionPass(.convolutionWeightGradient, box, .weightGradient, x, g, like: w) : nil,
    ]
  }
}

extension Tensor {
  /// The convolution (cross-correlation) of rank 1 to 3:
  /// `y[n, k, o] = Σ_{c, r} x[n, c, o·stride + r·dilation − padding] · w[k, c, r]`,
  /// for image `n`, output channel `k`, position `o`, the input channels `c` of the group of `k`, and the taps `r`.
  ///
  /// - Parameters:
  ///   - weight: `[outputChannels, inputChannels / groups, kernel…]`.
  ///   - stride: one number for each spatial axis, or one for all; likewise `padding` and `dilation`.
  ///   - padding: zeros before and after each spatial axis.
  ///   - bias: `[outputChannels]`, added to the result.
  /// - Returns: `[batch, outputChannels, ⌊(in + before + after − dilation·(kernel−1) − 1) / stride⌋ + 1…]` for
  ///   `self: [batch, inputChannels, spatial…]`; both shapes without `batch` for `self: [inputChannels, spatial…]`. The
  ///   result is `int32` for `int8` and `uint8`.
  /// - Precondition: `groups` divides both numbers of channels, and the kernel fits into the padded axes.
  public func convolved(
    with weight: Tensor, bias: Tensor? = nil, stride: [Int] = [1], padding: [(before: Int, after: Int)] = [(0, 0)],
    dilation: [Int] = [1], groups: Int = 1
  ) -> Tensor {
    if rank == weight.rank - 1, rank > 1 {
      return asBatch(ofRank: weight.rank) {
        $0.convolved(with: weight, bias: bias, stride: stride, padding: padding, dilation: dilation, groups: groups)
      }
    }
    do throws(ShapeError) {
      let box = try ConvolutionBox.forward(
        shape, weight.shape, stride: stride, padding: padding, dilation: dilation, groups: groups)
      let (x, w) = Tensor.factors(self, weight)
      let dtype = DType.promoted(x.dtype, w.dtype)
      return Tensor(.convolution, OpInputs(x.cast(to: dtype).node, w.cast(to: dtype).node), .convolution(box))
        .plus(channelBias: bias, "convolved")
    } catch {
      error.report()
      return self
    }
  }

  /// Adds a bias for each channel; if the number of channels differs, reports an error of `method`. In mixed precision
  /// the bias is first cast to the type of products.
  private func plus(channelBias bias: Tensor?, _ method: String) -> Tensor {
    guard let bias else { return self }
    guard bias.elementCount == shape[1] else {
      ShapeError(method, "the bias \(bias.shape) does not have one number for each channel of \(shape)").report()
      return self
    }
    return self + bias.narrowed.reshaped(to: Shape([bias.elementCount] + Array(repeating: 1, count: rank - 2)))
  }
}

extension Op {
  /// Computes the gradient of `x` from `w` and the gradient of `y`: the transposed convolution. The inputs are the
  /// gradient of `y`, called `y` below, then `w`.
  static let convolutionInputGradient: Op = convolutionPass(
    "convolutionInputGradient", method: "transposeConvolved"
  ) { c, box in
    let (y, w, g) = (c.input(0), c.input(1), c.gradient)
    return [
      c.isNeeded(0) ? Tensor.convolutionPass(.convolution, box, .output, g, w, like: y) : nil,
      c.isNeeded(1) ? Tensor.convolutionPass(.convolutionWeightGradient, box, .weightGradient, g, y, like: w) : nil,
    ]
  }
}

extension Tensor {
  /// The transposed convolution of rank 1 to 3: the gradient of a convolution with respect to its input.
  ///
  /// - Parameters:
  ///   - weight: `[inputChannels, outputChannels / groups, kernel…]`, as in PyTorch.
  ///   - stride: one number for each spatial axis, or one for all; likewise `padding`, `outputPadding` and `dilation`.
  ///   - padding: elements removed before and after each spatial axis of the result.
  ///   - outputPadding: elements added after each spatial axis of the result, fewer than the larger of stride and
  ///     dilation.
  ///   - bias: `[outputChannels]`, added to the result.
  /// - Returns: `[batch, outputChannels, (in − 1)·stride − before − after + dilation·(kernel−1) + outputPadding + 1…]`
  ///   for `self: [batch, inputChannels, spatial…]`; both shapes without `batch` for `self: [inputChannels, spatial…]`.
  /// - Precondition: `groups` divides both numbers of channels, and all extents of the result are at least 1.
  public func transposeConvolved(
    with weight: Tensor, bias: Tensor? = nil, stride: [Int] = [1], padding: [(before: Int, after: Int)] = [(0, 0)],
    outputPadding: [Int] = [0], dilation: [Int] = [1], groups: Int = 1
  ) -> Tensor {
    if rank == weight.rank - 1, rank > 1 {
      return asBatch(ofRank: weight.rank) {
        $0.transposeConvolved(
          with: weight, bias: bias, stride: stride, padding: padding, outputPadding: outputPadding,
          dilation: dilation, groups: groups)
      }
    }
    do throws(ShapeError) {
      let box = try ConvolutionBox.transposed(
        shape, weight.shape, stride: stride, padding: padding, outputPadding: outputPadding,
        dilation: dilation, groups: groups)
      let (x, w) = Tensor.factors(self, weight)
      let dtype = DType.promoted(x.dtype, w.dtype)
      return Tensor(
        .convolutionInputGradient, OpInputs(x.cast(to: dtype).node, w.cast(to: dtype).node), .convolution(box)
      )
      .plus(channelBias: bias, "transposeConvolved")
    } catch {
      error.report()
      return self
    }
  }
}

extension Op {
  /// Computes the gradient of `w` from `x` and the gradient of `y`.
  static let convolutionWeightGradient: Op = convolutionPass("convolutionWeightGradient") { c, box in
    let (x, y, g) = (c.input(0), c.input(1), c.gradient)
    return [
      c.isNeeded(0) ? Tensor.convolutionPass(.convolutionInputGradient, box, .inputGradient, y, g, like: x) : nil,
      c.isNeeded(1) ? Tensor.convolutionPass(.convolution, box, .output, x, g, like: y) : nil,
    ]
  }
}
