extension ImageNetwork {
  /// A GRU with 128 units over the 28 rows of an image, and a dense layer on its last state.
  public static let gru = ImageNetwork(
    layers: LayerList([
      .rows, .recurrent(.init(.gru, units: 128)), .dense(units: 10, hasBias: true),
    ]))
}

extension ModelDescription {
  /// A GRU over the rows of an image.
  public static let gru = ModelDescription(
    name: "gru", summary: "gated recurrent units over the 28 rows of an image, 28-128-10",
    kind: .images(.gru), recipe: Recipe(learningRate: 2e-3))
}
