import Apus
import Glibc

/// Measures that are derived from the loss of a language model.
package struct LanguageMeasures {
  /// `loss · tokens / characters / ln 2`
  var bitsPerCharacter: Double
  /// `exp(loss)`
  var perplexity: Double

  /// - Parameter loss: the loss in nats per token.
  /// - Returns: `nil` if there is no loss, or the model is not a language model.
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
