import Apus
import ApusTestSupport

extension ModuleCase {
  /// The cases of `Tests/Conformance/layers.py`.
  static let layers =
    linears + convolutions + poolings + normalizations
    + activations + shapes + borders + sizes + dropouts

  private static let activations = [
    ModuleCase("relu", ReLU()),
    ModuleCase("leaky-relu", LeakyReLU(slope: 0.2)),
    ModuleCase("elu", ELU(alpha: 0.7)),
    ModuleCase("selu", SELU()),
    ModuleCase("gelu", GELU()),
    ModuleCase("silu", SiLU()),
    ModuleCase("softplus", Softplus()),
    ModuleCase("sigmoid", Sigmoid()),
    ModuleCase("tanh", Tanh()),
    ModuleCase("softmax", Softmax(axis: 1)),
  ]
}
