extension ImageNetwork {
  /// LeNet-5 (LeCun, Bottou, Bengio, Haffner: "Gradient-based learning applied to document recognition", 1998) in its
  /// modern form: ReLU instead of tanh, max pooling instead of trained averages, and a dense output layer instead of
  /// radial basis functions.
  public static let lenet5 = ImageNetwork(
    layers: LayerList([
      .convolution(.init(filters: 6, kernel: .init(5, 5), padding: .init(2, 2))), .activation(.relu),
      .pooling(.init(kind: .maximum, window: .init(2, 2), stride: .init(2, 2))),
      .convolution(.init(filters: 16, kernel: .init(5, 5))), .activation(.relu),
      .pooling(.init(kind: .maximum, window: .init(2, 2), stride: .init(2, 2))),
      .flatten, .dense(units: 120, hasBias: true), .activation(.relu), .dense(units: 84, hasBias: true),
      .activation(.relu), .dense(units: 10, hasBias: true),
    ]))
}

extension ModelDescription {
  /// Two convolutions and three dense layers (LeCun et al., 1998).
  public static let lenet5 = ModelDescription(
    name: "lenet5", summary: "LeNet-5: two convolutions and three dense layers",
    kind: .images(.lenet5), recipe: Recipe())
}
