import ApusNN
import ApusTensor

/// Layers with the same input, whose outputs are added, `f₀(x) + f₁(x) + …`, or concatenated along axis 1 (channels or
/// features). With a single layer the input itself is the other branch: `f(x) + x`, or `x` followed by `f(x)`.
struct Branches: Layer {
  private let kind: LayerList.Link.Kind
  private let layers: [any Layer]

  init(_ kind: LayerList.Link.Kind, _ layers: [any Layer]) {
    self.kind = kind
    self.layers = layers
  }

  var members: [ModuleMember] {
    layers.enumerated().map { .module(String($0.offset), $0.element) }
  }

  func callAsFunction(_ x: Tensor) -> Tensor {
    let outputs = layers.enumerated().map { index, layer in
      LayerTrace.run(String(index), layer, x) { layer($0) }
    }
    let isAlone = outputs.count == 1
    switch kind {
    case .residual: return isAlone ? outputs[0] + x : outputs.dropFirst().reduce(outputs[0], +)
    case .concat: return .concatenated(isAlone ? [x] + outputs : outputs, axis: 1)
    }
  }
}
