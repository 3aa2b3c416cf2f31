import ApusNN
import ApusTensor

extension LayerList {
  /// The model with the layers of the list. `input` is the size of one input, `[channels, height, width]` or
  /// `[features]`; the model takes batches of such inputs, `[batch, …]`.
  /// - Throws: `LayerListError`, with the first layer that does not fit.
  public func model(for input: [Int]) throws(LayerListError) -> Sequential {
    Sequential(try stages(for: input).map(\.module))
  }
}

extension LayerList.Stage {
  fileprivate var module: any ApusNN.Layer {
    switch layer {
    case .convolution(let layer):
      let padding = layer.resolvedPadding
      return Conv2d(
        input[0], layer.filters, kernel: layer.kernel.extents, stride: layer.stride.extents,
        padding: .each(padding.extents), dilation: layer.dilation.extents, groups: layer.groups,
        hasBias: layer.hasBias)
    case .pooling(let layer):
      let (window, stride) = (layer.window.extents, layer.stride.extents)
      let padding = Padding.each(layer.padding.extents)
      switch layer.kind {
      case .maximum: return MaxPool2d(window, stride: stride, padding: padding)
      case .average: return AvgPool2d(window, stride: stride, padding: padding)
      }
    case .globalPooling: return GlobalAveragePool()
    case .dense(let units, let hasBias): return Linear(input[0], units, hasBias: hasBias)
    case .flatten: return Flatten()
    case .batchNorm: return BatchNorm(input[0])
    case .dropout(let rate): return Dropout(rate)
    case .rows: return ImageRows()
    case .recurrent(let layer): return RecurrentLayer(layer, inputs: input[1])
    case .activation(let function): return function.module
    case .link(let link): return Branches(link.kind, branches.map { Sequential($0.map(\.module)) })
    }
  }
}

extension LayerList.Size {
  fileprivate var extents: Extents { [height, width] }
}

extension LayerList.Activation {
  fileprivate var module: any ApusNN.Layer {
    switch self {
    case .relu: ReLU()
    case .sigmoid: Sigmoid()
    case .tanh: Tanh()
    case .gelu: GELU()
    case .silu: SiLU()
    case .elu: ELU()
    case .selu: SELU()
    case .softplus: Softplus()
    case .leakyRelu: LeakyReLU()
    }
  }
}
