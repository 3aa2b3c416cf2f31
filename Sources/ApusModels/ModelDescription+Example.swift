import ApusData
import ApusNN
import ApusTensor

extension ModelDescription {
  /// The model for its default data: an image model with its default input and classes, a text model with the maximum
  /// vocabulary and, for a classifier, two classes.
  ///
  /// The parameters have the same meaning as in `ImageNetwork.model(input:classes:stem:)`. A text classifier uses only
  /// `classes`, a language model uses none of them.
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
