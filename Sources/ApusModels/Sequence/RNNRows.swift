extension ImageNetwork {
  /// A recurrent layer with 128 units over the 28 rows of an image, and a dense layer on its last hidden state.
  public static let rnn = ImageNetwork(
    layers: LayerList([
      .rows, .recurrent(.init(.rnn, units: 128)), .dense(units: 10, hasBias: true),
    ]))
}

extension ModelDescription {
  /// A plain recurrent layer over the rows of an image.
  public static let rnn = ModelDescription(
    name: "rnn", summary: "recurrent network over the 28 rows of an image, 28-128-10",
    kind: .images(.rnn), recipe: Recipe(learningRate: 1e-3))
}
