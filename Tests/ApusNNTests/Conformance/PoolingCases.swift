import Apus
import ApusTestSupport

extension ModuleCase {
  static let poolings = windowPoolings + adaptivePoolings

  private static let windowPoolings = [
    ModuleCase("max-pool1d", MaxPool1d(3, stride: 2, padding: 1)),
    ModuleCase("max-pool2d", MaxPool2d(2)),
    ModuleCase("max-pool2d-ceil", MaxPool2d(3, stride: 2, padding: 1, roundsUp: true)),
    ModuleCase("max-pool2d-dilation", MaxPool2d([2, 3], stride: 1, padding: 1, dilation: [3, 2])),
    ModuleCase("max-pool3d", MaxPool3d(2)),
    ModuleCase("avg-pool1d", AvgPool1d(3, stride: 2, padding: 1)),
    ModuleCase("avg-pool2d", AvgPool2d(3, stride: 2, padding: 1)),
    ModuleCase("avg-pool2d-ceil", AvgPool2d(3, stride: 2, padding: 1, roundsUp: true)),
    ModuleCase("avg-pool2d-no-padding", AvgPool2d(3, stride: 2, padding: 1, countsPadding: false)),
    ModuleCase("avg-pool3d", AvgPool3d([2, 1, 2])),
    ModuleCase("lp-pool1d", LPPool1d(3, 3, stride: 2)),
    ModuleCase("lp-pool2d", LPPool2d(2, [2, 3])),
    ModuleCase("lp-pool2d-sum", LPPool2d(1, 2)),
    ModuleCase("lp-pool3d", LPPool3d(2, 2)),
  ]

  private static let adaptivePoolings = [
    ModuleCase("adaptive-avg-pool1d", AdaptiveAvgPool1d(3)),
    ModuleCase("adaptive-avg-pool2d", AdaptiveAvgPool2d([2, nil])),
    ModuleCase("adaptive-avg-pool3d", AdaptiveAvgPool3d(1)),
    ModuleCase("adaptive-max-pool1d", AdaptiveMaxPool1d(3)),
    ModuleCase("adaptive-max-pool2d", AdaptiveMaxPool2d([2, nil])),
    ModuleCase("adaptive-max-pool3d", AdaptiveMaxPool3d([2, 1, 2])),
    ModuleCase("global-average-pool", GlobalAveragePool()),
    ModuleCase("global-max-pool", GlobalMaxPool()),
  ]
}
