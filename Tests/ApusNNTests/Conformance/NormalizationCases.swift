import Apus
import ApusTestSupport

extension ModuleCase {
  static let normalizations = batchNorms + exampleNorms + instanceNorms

  private static let batchNorms = [
    ModuleCase("batch-norm2d-training", repeatCount: 2, BatchNorm(3)),
    ModuleCase("batch-norm1d-training", repeatCount: 2, BatchNorm(3, isAffine: false)),
    ModuleCase("batch-norm2d-inference", mode: .inference, repeatCount: 2, BatchNorm(3)),
    ModuleCase("batch-norm2d-options", repeatCount: 2, BatchNorm(3, epsilon: 0.1, momentum: 0.3)),
    ModuleCase("batch-norm2d-cumulative", repeatCount: 3, BatchNorm(3, momentum: nil)),
    ModuleCase("batch-norm2d-untracked", BatchNorm(3, tracksStatistics: false)),
    ModuleCase(
      "batch-norm2d-untracked-inference", mode: .inference, BatchNorm(3, isAffine: false, tracksStatistics: false)),
    ModuleCase("batch-norm3d-training", BatchNorm(2)),
  ]

  private static let exampleNorms = [
    ModuleCase("layer-norm", LayerNorm(5)),
    ModuleCase("layer-norm-shape", LayerNorm([3, 5], epsilon: 0.1)),
    ModuleCase("layer-norm-no-bias", LayerNorm(5, hasBias: false)),
    ModuleCase("layer-norm-plain", LayerNorm(5, isAffine: false)),
    ModuleCase("rms-norm", RMSNorm(5, epsilon: 1e-5)),
    ModuleCase("rms-norm-shape", RMSNorm([3, 5], epsilon: 0.1)),
    ModuleCase("rms-norm-plain", RMSNorm(5, isAffine: false)),
    ModuleCase("group-norm", GroupNorm(2, channels: 4)),
    ModuleCase("group-norm-image", GroupNorm(2, channels: 4, epsilon: 0.1)),
    ModuleCase("group-norm-plain", GroupNorm(1, channels: 4, isAffine: false)),
  ]

  private static let instanceNorms = [
    ModuleCase("instance-norm1d", InstanceNorm(3)),
    ModuleCase("instance-norm2d", InstanceNorm(3, epsilon: 0.1, isAffine: true)),
    ModuleCase("instance-norm3d", InstanceNorm(2, isAffine: true)),
    ModuleCase(
      "instance-norm2d-tracked", repeatCount: 2,
      InstanceNorm(3, momentum: 0.3, isAffine: true, tracksStatistics: true)),
    ModuleCase("instance-norm2d-tracked-inference", mode: .inference, InstanceNorm(3, tracksStatistics: true)),
    ModuleCase("local-response-norm", LocalResponseNorm(3, alpha: 0.5, beta: 0.6, k: 1.5)),
    ModuleCase("local-response-norm-even", LocalResponseNorm(4)),
    ModuleCase("local-response-norm-sum", LocalResponseNorm(5, alpha: 1e-4, k: 2, isSummed: true)),
  ]
}
