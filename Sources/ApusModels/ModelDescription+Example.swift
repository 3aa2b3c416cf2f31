import ApusData
import ApusNN
import ApusTensor

extension ModelDescription {
  /// Builds the model. Where an argument is `nil`, an image model has the default input and classes of its
  /// `ImageNetwork`, and a text classifier has two classes. A text model has the maximum vocabulary of its
  /// `TextNetwork`.
  ///
  /// The arguments have the same meaning as in `ImageNetwork.model(input:classes:stem:)`. A text classifier uses only
  /// `classes`, a language model uses no argument.
  public func exampleModel(input: [Int]? = nil, classes: Int? = nil, stem: ImageStem? = nil) throws -> any Layer {
    switch kind {
    case .images(let network): try network.model(input: input, classes: classes, stem: stem)
    case .language(let network): try network.languageModel(vocabulary: network.vocabularySize)
    case .texts(let network): try network.classifier(vocabulary: network.vocabularySize, classes: classes ?? 2)
    }
  }

  /// The shape and type of one input of the model.
  public func exampleInput() -> ModelSummary.Input {
    switch kind {
    case .images(let network): ModelSummary.Input(network.inputSize)
    case .language(let network), .texts(let network): ModelSummary.Input([network.sequenceLength], dtype: .int32)
    }
  }
}
