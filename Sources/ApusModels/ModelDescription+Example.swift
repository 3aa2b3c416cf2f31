import ApusData
import ApusNN
import ApusTensor

extension ModelDescription {
  /// The model as it would be for its own data: of images as it is written or published, of text with as many tokens as
  /// there may be and two classes.
  ///
  /// - Parameters: for images, as those of `ImageNetwork.model(input:classes:stem:)`; of a classifier of texts `classes`
  ///   counts, too.
  public func exampleModel(input: [Int]? = nil, classes: Int? = nil, stem: ImageStem? = nil) throws -> any Layer {
    switch kind {
    case .images(let network): try network.model(input: input, classes: classes, stem: stem)
    case .language(let network): try network.languageModel(vocabulary: network.vocabularySize)
    case .texts(let network): try network.classifier(vocabulary: network.vocabularySize, classes: classes ?? 2)
    }
  }

  /// One input of the model.
  public func exampleInput() -> ModelSummary.Input {
    switch kind {
    case .images(let network): ModelSummary.Input(network.inputSize)
    case .language(let network), .texts(let network): ModelSummary.Input([network.sequenceLength], dtype: .int32)
    }
  }
}
