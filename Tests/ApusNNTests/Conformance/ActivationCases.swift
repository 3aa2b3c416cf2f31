import Apus
import ApusTestSupport

extension ModuleCase {
  /// The cases of `Tests/Conformance/activations.py`.
  static let moreActivations = smooth + bounded + alongAxes + learned

  private static let smooth = [
    ModuleCase("celu", CELU(alpha: 1.7)),
    ModuleCase("gelu-tanh", GELU(isApproximate: true)),
    ModuleCase("mish", Mish()),
    ModuleCase("softplus-beta", Softplus(beta: 2.5)),
    ModuleCase("softsign", Softsign()),
    ModuleCase("log-sigmoid", LogSigmoid()),
    ModuleCase("tanh-slope", Tanh(slope: 0.5)),
    ModuleCase("tanh-lecun", Tanh.leCun),
    ModuleCase("tanh-shrink", TanhShrink()),
  ]

  private static let bounded = [
    ModuleCase("relu6", ReLU6()),
    ModuleCase("hard-tanh", HardTanh(lower: -0.5, upper: 0.75)),
    ModuleCase("hard-sigmoid", HardSigmoid()),
    ModuleCase("hard-swish", HardSwish()),
    ModuleCase("hard-shrink", HardShrink(0.6)),
    ModuleCase("soft-shrink", SoftShrink(0.6)),
    ModuleCase("threshold", Threshold(0.3, value: -2)),
    ModuleCase("unit-step", UnitStep()),
    ModuleCase("unit-step-clipped", UnitStep(gradient: .clipped)),
  ]

  private static let alongAxes = [
    ModuleCase("log-softmax", LogSoftmax(axis: 1)),
    ModuleCase("softmin", Softmin(axis: 1)),
    ModuleCase("glu", GLU(axis: 1)),
  ]

  private static let learned = [
    ModuleCase("prelu", PReLU()),
    ModuleCase("prelu-channels", PReLU(4)),
    ModuleCase("rrelu-inference", mode: .inference, RReLU()),
  ]
}
