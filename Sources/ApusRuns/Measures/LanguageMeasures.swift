import Apus
import Glibc

/// Measures that are derived from the loss of a language model.
package struct LanguageMeasures {
  /// `loss · t / ln 2`, where `t` is the number of tokens per character of the text
  var bitsPerCharacter: Double
  /// `exp(loss)`
  var perplexity: Double

  /// - Parameter loss: the loss in nats per token.
  /// - Returns: `nil` if there is no loss, if the model is not a language model, or if the number of tokens per
  ///   character is not known.
  package init?(_ loss: Double?, _ format: any DataFormat) {
    guard let loss, case .tokens(let ratio?) = format.outputs else { return nil }
    bitsPerCharacter = loss * ratio / log(2)
    perplexity = exp(loss)
  }

  /// - Parameter part: the measured split.
  package func json(_ part: DataPart) -> JSONObject {
    [part.key("bits_per_character"): .number(bitsPerCharacter), part.key("perplexity"): .number(perplexity)]
  }

  package var rows: [(String, String)] {
    [("bits per character", bitsPerCharacter.text(places: 4)), ("perplexity", perplexity.text(places: 2))]
  }
}
