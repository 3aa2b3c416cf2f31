import ApusTensor

extension LayerList.Stage {
  /// The number of trainable values: kernels, weights, biases, and scale and shift of a batch normalization.
  public var parameterCount: Int {
    switch layer {
    case .convolution(let convolution): weightCount + (convolution.hasBias ? convolution.filters : 0)
    case .dense(let units, let hasBias): weightCount + (hasBias ? units : 0)
    case .batchNorm: 2 * input[0]
    case .recurrent(let layer): weightCount + (layer.hasBias ? layer.biasCount : 0)
    case .link: branches.joined().reduce(0) { $0 + $1.parameterCount }
    default: 0
    }
  }

  /// The number of multiply-adds for one example. Each weight of a dense layer counts once, each weight of a
  /// convolution once per output position, and each weight of a recurrent layer once per time step. A link, which
  /// combines branches of layers, has the sum of its branches. All other layers have none.
  public var multiplyAddCount: Int {
    switch layer {
    case .convolution: weightCount * output[1] * output[2]
    case .dense: weightCount
    case .recurrent: weightCount * input[0]
    case .link: branches.joined().reduce(0) { $0 + $1.multiplyAddCount }
    default: 0
    }
  }

  /// The number of elements of the weights of a convolution, recurrent or dense layer, without its biases.
  private var weightCount: Int {
    switch layer {
    case .convolution(let convolution):
      convolution.filters * (input[0] / convolution.groups) * convolution.kernel.height * convolution.kernel.width
    case .dense(let units, _): units * input[0]
    case .recurrent(let layer): layer.weightCount(inputs: input[1])
    default: 0
    }
  }
}

extension LayerList.Recurrent {
  private var gateCount: Int {
    let kind: RecurrentOptions.Kind =
      switch kind {
      case .rnn: .tanh
      case .lstm: .lstm
      case .gru: .gru
      }
    return kind.gates
  }

  private var directionCount: Int { isBidirectional ? 2 : 1 }

  /// The number of weights that multiply inputs and states, in all stacked layers.
  fileprivate func weightCount(inputs: Int) -> Int {
    let rows = directionCount * gateCount * units
    return rows * (inputs + units) + (layers - 1) * rows * (outputCount + units)
  }

  /// The number of bias values: two vectors of `units` for each gate of each layer and direction, as in PyTorch.
  fileprivate var biasCount: Int { layers * directionCount * gateCount * 2 * units }
}
