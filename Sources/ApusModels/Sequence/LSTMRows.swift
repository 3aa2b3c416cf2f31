extension ImageNetwork {
  /// An LSTM with 128 units over the 28 rows of an image, and a dense layer on its last state.
  public static let lstm = ImageNetwork(
    layers: LayerList([
      .rows, .recurrent(.init(.lstm, units: 128)), .dense(units: 10, hasBias: true),
    ]))
}

extension ModelDescription {
  /// An LSTM over the rows of an image.
  public static let lstm = ModelDescription(
    name: "lstm", summary: "long short-term memory over the 28 rows of an image, 28-128-10",
    kind: .images(.lstm), recipe: Recipe(learningRate: 2e-3))
}
