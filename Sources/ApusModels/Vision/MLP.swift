extension ImageNetwork {
  /// A multi-layer perceptron, 784-256-128-10.
  public static let mlp = ImageNetwork(
    layers: LayerList([
      .flatten, .dense(units: 256, hasBias: true), .activation(.relu), .dense(units: 128, hasBias: true),
      .activation(.relu), .dense(units: 10, hasBias: true),
    ]))
}

extension ModelDescription {
  /// A model of dense layers only.
  public static let mlp = ModelDescription(
    name: "mlp", summary: "multi-layer perceptron 784-256-128-10",
    kind: .images(.mlp), recipe: Recipe())
}
