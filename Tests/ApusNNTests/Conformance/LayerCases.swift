import Apus

extension ModuleCase {
  /// Every layer, as in `Tests/Conformance/layers.py`.
  static let layers = linear + convolutions + poolings + normalizations + activations + shapes

  private static let linear = [
    ModuleCase("linear", Linear(5, 3)),
    ModuleCase("linear-no-bias", Linear(5, 3, hasBias: false)),
  ]

  private static let convolutions = [
    ModuleCase("conv1d", Conv1d(4, 6, kernel: 3, stride: 2, padding: 2, dilation: 2, groups: 2)),
    ModuleCase("conv2d", Conv2d(2, 3, kernel: [3, 2], stride: [1, 2], padding: [1, 0])),
    ModuleCase("conv2d-same", Conv2d(2, 3, kernel: [4, 3], padding: .same, hasBias: false)),
    ModuleCase("conv3d", Conv3d(2, 2, kernel: 2, padding: 1)),
  ]

  private static let poolings = [
    ModuleCase("max-pool1d", MaxPool1d(3, stride: 2, padding: 1)),
    ModuleCase("max-pool2d", MaxPool2d(2)),
    ModuleCase("max-pool2d-ceil", MaxPool2d(3, stride: 2, padding: 1, roundsUp: true)),
    ModuleCase("max-pool3d", MaxPool3d(2)),
    ModuleCase("avg-pool1d", AvgPool1d(3, stride: 2, padding: 1)),
    ModuleCase("avg-pool2d", AvgPool2d(3, stride: 2, padding: 1)),
    ModuleCase("avg-pool2d-no-padding", AvgPool2d(3, stride: 2, padding: 1, countsPadding: false)),
    ModuleCase("avg-pool3d", AvgPool3d([2, 1, 2])),
  ]

  private static let normalizations = [
    ModuleCase("batch-norm2d-training", repeatCount: 2, BatchNorm(3)),
    ModuleCase("batch-norm1d-training", repeatCount: 2, BatchNorm(3, isAffine: false)),
    ModuleCase("batch-norm2d-inference", mode: .inference, repeatCount: 2, BatchNorm(3)),
  ]

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

  private static let shapes = [ModuleCase("flatten", Flatten())]
}
