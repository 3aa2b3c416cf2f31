import Apus
import ApusTestSupport

extension ModuleCase {
  static let shapes = [
    ModuleCase("flatten", Flatten()),
    ModuleCase("unflatten", Unflatten(to: [2, 3])),
    ModuleCase("unflatten-open", Unflatten(axis: -2, to: [-1, 2])),
    ModuleCase("identity", Identity()),
    ModuleCase("pixel-shuffle", PixelShuffle(2)),
    ModuleCase("pixel-unshuffle", PixelUnshuffle(2)),
  ]

  /// Padding amounts are in the order of the axes. PyTorch's amounts begin with the last axis.
  static let borders = [
    ModuleCase("zero-pad1d", ZeroPad1d(2)),
    ModuleCase("zero-pad2d", ZeroPad2d(.sides(before: [0, 2], after: [3, 1]))),
    ModuleCase("constant-pad2d", ConstantPad2d(.sides(before: [0, 2], after: [3, 1]), value: 1.5)),
    ModuleCase("constant-pad3d", ConstantPad3d(1, value: -2)),
    ModuleCase("reflection-pad1d", ReflectionPad1d(.sides(before: [2], after: [1]))),
    ModuleCase("reflection-pad2d", ReflectionPad2d(.sides(before: [0, 2], after: [2, 1]))),
    ModuleCase("reflection-pad3d", ReflectionPad3d(1)),
    ModuleCase("replication-pad1d", ReplicationPad1d(.sides(before: [2], after: [1]))),
    ModuleCase("replication-pad2d", ReplicationPad2d(.sides(before: [0, 2], after: [2, 1]))),
    ModuleCase("replication-pad3d", ReplicationPad3d(1)),
    ModuleCase("circular-pad1d", CircularPad1d(.sides(before: [2], after: [1]))),
    ModuleCase("circular-pad2d", CircularPad2d(.sides(before: [0, 2], after: [2, 1]))),
    ModuleCase("circular-pad3d", CircularPad3d(1)),
  ]

  static let sizes = [
    ModuleCase("upsample-nearest1d", Upsample(size: 7)),
    ModuleCase("upsample-nearest2d", Upsample(scale: 2)),
    ModuleCase("upsample-nearest3d", Upsample(size: [4, 2, 3])),
    ModuleCase("upsample-linear1d", Upsample(scale: 2, by: .linear)),
    ModuleCase("upsample-bilinear", Upsample(scales: [1.5, 2.4], by: .linear)),
    ModuleCase("upsample-bilinear-aligned", Upsample(size: [5, 4], by: .linear, alignsCorners: true)),
    ModuleCase("upsample-trilinear", Upsample(size: 3, by: .linear)),
  ]

  /// Only inference mode: in training mode, PyTorch's generator samples other numbers than Apus, so other tests compare
  /// dropout with its formulas.
  static let dropouts = [
    ModuleCase("dropout-inference", mode: .inference, Dropout()),
    ModuleCase("dropout1d-inference", mode: .inference, Dropout1d()),
    ModuleCase("dropout2d-inference", mode: .inference, Dropout2d()),
    ModuleCase("dropout3d-inference", mode: .inference, Dropout3d()),
    ModuleCase("alpha-dropout-inference", mode: .inference, AlphaDropout()),
    ModuleCase("feature-alpha-dropout-inference", mode: .inference, FeatureAlphaDropout()),
  ]
}
