extension LayerList.Stage {
  /// The number of trainable values: kernels, weights, biases, and scale and shift of a batch normalization.
  public var parameterCount: Int {
    switch layer {
    case .convolution(let convolution):
      let kernel = convolution.kernel.height * convolution.kernel.width * input[0] / convolution.groups
      return convolution.filters * (kernel + (convolution.hasBias ? 1 : 0))
    case .dense(let units, let hasBias): return units * (input[0] + (hasBias ? 1 : 0))
    case .batchNorm: return 2 * input[0]
    case .recurrent(let layer): return layer.weightCount(inputs: input[1]) + (layer.hasBias ? layer.biasCount : 0)
    case .link: return branches.joined().reduce(0) { $0 + $1.parameterCount }
    default: return 0
    }
  }

  /// The number of multiply-adds for one example in convolutions, recurrent and dense layers.
  public var multiplyAddCount: Int {
    switch layer {
    case .convolution(let convolution):
      let kernel = convolution.kernel.height * convolution.kernel.width * input[0] / convolution.groups
      return kernel * output.reduce(1, *)
    case .dense(let units, _): return units * input[0]
    case .recurrent(let layer): return input[0] * layer.weightCount(inputs: input[1])
    case .link: return branches.joined().reduce(0) { $0 + $1.multiplyAddCount }
    default: return 0
    }
  }
}

extension LayerList.Recurrent {
  private var gateCount: Int {
    switch kind {
    case .rnn: 1
    case .lstm: 4
    case .gru: 3
    }
  }

  private var directionCount: Int { isBidirectional ? 2 : 1 }

  /// The number of weights that multiply inputs and states, in all stacked layers.
  fileprivate func weightCount(inputs: Int) -> Int {
    let rows = directionCount * gateCount * units
    return rows * (inputs + units) + (layers - 1) * rows * (outputCount + units)
  }

  /// The number of bias values: two vectors of `units` for each gate, as in PyTorch.
  fileprivate var biasCount: Int { layers * directionCount * gateCount * 2 * units }
}
