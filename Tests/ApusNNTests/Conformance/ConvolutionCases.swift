import Apus
import ApusTestSupport

extension ModuleCase {
  static let convolutions = forwardConvolutions + transposedConvolutions

  private static let forwardConvolutions = [
    ModuleCase("conv1d", Conv1d(4, 6, kernel: 3, stride: 2, padding: 2, dilation: 2, groups: 2)),
    ModuleCase("conv2d", Conv2d(2, 3, kernel: [3, 2], stride: [1, 2], padding: [1, 0])),
    ModuleCase("conv2d-same", Conv2d(2, 3, kernel: [4, 3], padding: .same, hasBias: false)),
    ModuleCase("conv3d", Conv3d(2, 2, kernel: 2, padding: 1)),
    ModuleCase("conv2d-reflect", Conv2d(2, 3, kernel: 3, padding: [1, 2], paddingMode: .reflect)),
    ModuleCase("conv2d-replicate", Conv2d(2, 3, kernel: 3, padding: [1, 2], paddingMode: .replicate)),
    ModuleCase("conv2d-circular", Conv2d(2, 3, kernel: 3, padding: [1, 2], paddingMode: .circular)),
    ModuleCase("conv1d-same-reflect", Conv1d(2, 2, kernel: 4, padding: .same, paddingMode: .reflect)),
    ModuleCase("depthwise1d", Conv1d.depthwise(3, kernel: 3, padding: 1)),
    ModuleCase("depthwise2d-multiplier", Conv2d.depthwise(3, multiplier: 2, kernel: 3, stride: 2, hasBias: false)),
  ]

  private static let transposedConvolutions = [
    ModuleCase(
      "conv-transpose1d",
      ConvTranspose1d(4, 6, kernel: 3, stride: 2, padding: 1, outputPadding: 1, groups: 2)),
    ModuleCase("conv-transpose1d-dilation", ConvTranspose1d(2, 3, kernel: 3, dilation: 2, hasBias: false)),
    ModuleCase("conv-transpose2d", ConvTranspose2d(3, 2, kernel: 3)),
    ModuleCase(
      "conv-transpose2d-options",
      ConvTranspose2d(
        3, 2, kernel: [3, 2], stride: [2, 3], padding: [1, 0], outputPadding: [1, 2], dilation: [1, 2])),
    ModuleCase("conv-transpose3d", ConvTranspose3d(2, 2, kernel: 2, stride: 2)),
  ]
}
