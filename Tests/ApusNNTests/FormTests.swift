import ApusTensor
import ApusTestSupport
import Testing

@testable import ApusNN

/// Layers and losses without a batch axis, which PyTorch also allows, and as functions.
@Suite struct FormTests {
  private let device = TestDevice.reference.device

  @Test func oneExampleWithoutABatch() throws {
    try withDevice(device) { () throws in
      var key = RandomKey(seed: 3)
      func x(_ shape: Shape) -> Tensor { .normal(shape, key: &key) }
      let layers: [(any Layer, Shape)] = [
        (Linear(3, 2), [3]), (Conv2d(2, 3, kernel: 2, padding: 1, paddingMode: .circular), [2, 3, 4]),
        (ConvTranspose1d(2, 3, kernel: 2, stride: 2), [2, 3]), (MaxPool2d(2), [2, 4, 4]), (AvgPool1d(2), [2, 4]),
        (AdaptiveAvgPool2d(2), [2, 3, 3]), (ReflectionPad1d(1), [2, 3]), (InstanceNorm(2), [2, 5]),
        (LayerNorm(3), [3]), (Dropout2d(0.5), [2, 3, 3]), (LPPool1d(2, 2), [2, 4]),
      ]
      for (layer, shape) in layers {
        let example = x(shape)
        let (one, batch) = (layer(example), layer(example.expandingAxis(at: 0)))
        #expect(one.shape == batch.shape.removing(0), "\(layer)")
        #expect(try one.array() == batch.array(), "\(layer)")
      }
      let sequence = x([4, 3])
      for isBatchFirst in [false, true] {
        let gru = GRU(3, 2, isBatchFirst: isBatchFirst, isBidirectional: true)
        let (one, batch) = (gru(sequence), gru(sequence.expandingAxis(at: isBatchFirst ? 0 : 1)))
        #expect(one.output.shape == [4, 4] && one.state.shape == [2, 2])
        #expect(try one.output.array() == batch.output.array() && one.state.array() == batch.state.array())
        let attention = MultiheadAttention(4, heads: 2, isBatchFirst: isBatchFirst)
        let (queries, keys) = (x([2, 4]), x([3, 4]))
        let (found, weights) = attention.withWeights(queries, keys, keyMask: Tensor([true, true, false]))
        #expect(found.shape == [2, 4] && weights.shape == [2, 3])
        let plain = try attention(queries, keys, keyMask: Tensor([true, true, false])).array()
        #expect(try zip(plain, found.array()).allSatisfy { abs($0 - $1) < 1e-5 })
      }
      #expect(LSTMCell(3, 2)(x([3])).cell.shape == [2] && GRUCell(3, 2)(x([3]), state: x([2])).shape == [2])
      let (logits, label) = (x([5]), Tensor(3))
      let batch = (logits.expandingAxis(at: 0), Tensor([3]))
      #expect(try crossEntropy(logits, label).scalar() == crossEntropy(batch.0, batch.1).scalar())
      #expect(crossEntropy(logits, label, reduction: .none).shape == [])
      let probabilities = x([6, 4]).logSoftmax()
      let (targets, lengths) = (Tensor([2, 1, 3]), (input: [6], target: [3]))
      for reduction in [LossReduction.none, .mean] {
        let one = ctcLoss(
          probabilities, targets, inputLengths: lengths.input, targetLengths: lengths.target, reduction: reduction)
        let batch = ctcLoss(
          probabilities.expandingAxis(at: 1), targets, inputLengths: lengths.input, targetLengths: lengths.target,
          reduction: reduction)
        #expect(try one.shape == [] && one.scalar() == batch.sum().scalar())
        let (first, second) = (x([5]), x([5]))
        let found = cosineEmbedding(first, second, Tensor(-1), margin: -0.9, reduction: reduction)
        let expected = cosineEmbedding(
          first.expandingAxis(at: 0), second.expandingAxis(at: 0), Tensor([-1]), margin: -0.9, reduction: reduction)
        #expect(try found.shape == [] && found.scalar() == expected.sum().scalar())
      }
      #expect(try multiMargin(logits, label).scalar() == multiMargin(batch.0, batch.1).scalar())
    }
  }

  @Test(arguments: [false, true]) func transformersTakeOneExample(isBatchFirst: Bool) throws {
    for device in TestDevice.conformance {
      try withDevice(device.reopened()) { () throws in
        var key = RandomKey(seed: 5)
        let (source, target) = (Tensor.normal([3, 4], key: &key), Tensor.normal([2, 4], key: &key))
        let model = Transformer(
          4, heads: 2, encoderLayers: 1, decoderLayers: 1, hidden: 8, isBatchFirst: isBatchFirst)
        let isKnown = Tensor([true, true, false])
        let axis = isBatchFirst ? 0 : 1
        let (one, batch) = withMode(.inference) {
          (
            model(source, target, sourceKeyMask: isKnown, memoryKeyMask: isKnown, isTargetCausal: true),
            model(
              source.expandingAxis(at: axis), target.expandingAxis(at: axis),
              sourceKeyMask: isKnown.expandingAxis(at: 0), memoryKeyMask: isKnown.expandingAxis(at: 0),
              isTargetCausal: true)
          )
        }
        #expect(one.shape == [2, 4], "\(device.name)")
        #expect(try zip(one.array(), batch.array()).allSatisfy { abs($0 - $1) < 1e-5 }, "\(device.name)")
      }
    }
  }

  @Test func functionalForms() throws {
    for device in TestDevice.conformance {
      try withDevice(device.reopened()) { () throws in try checkFunctionalForms() }
    }
  }

  private func checkFunctionalForms() throws {
    do {
      var key = RandomKey(seed: 4)
      let x = Tensor.normal([3, 4], key: &key)
      let (linear, norm) = (Linear(4, 2), LayerNorm(4))
      #expect(try x.linear(weight: linear.weight.value, bias: linear.bias!.value).array() == linear(x).array())
      #expect(try x.layerNormalized(weight: norm.weight!.value).array() == norm(x).array())
      let batch = BatchNorm(4)
      #expect(try x.batchNormalized().array() == withMode(.training) { batch(x) }.array())
      let rms = RMSNorm(4)
      #expect(try x.rmsNormalized(weight: rms.weight!.value).array() == rms(x).array())
      let image = Tensor.normal([2, 4, 3], key: &key)
      let group = GroupNorm(2, channels: 4)
      (group.weight!.value, group.bias!.value) = (Tensor([1, 2, 3, 4] as [Float]), Tensor([4, 3, 2, 1] as [Float]))
      let (weight, bias) = (group.weight!.value, group.bias!.value)
      #expect(try image.groupNormalized(2, weight: weight, bias: bias).array() == group(image).array())
      #expect(try image.instanceNormalized().array() == InstanceNorm(4)(image).array())
      let parts = try zip(
        image.instanceNormalized(weight: weight, bias: bias).array(),
        image.groupNormalized(4, weight: weight, bias: bias).array())
      #expect(parts.allSatisfy { abs($0 - $1) < 1e-5 })
      #expect(throws: ShapeError.self) { try checkingShapes { image.groupNormalized(3) } }
      #expect(throws: ShapeError.self) { try checkingShapes { x.instanceNormalized() } }
      let dropped = try x.dropout(0.5, key: &key).array()
      #expect(try zip(dropped, x.array()).allSatisfy { $0 == 0 || $0 == 2 * $1 } && dropped.contains(0))
      let conv = Conv1d(3, 2, kernel: 2)
      #expect(try x.convolved(with: conv.weight.value, bias: conv.bias!.value).array() == conv(x).array())
    }
  }
}
