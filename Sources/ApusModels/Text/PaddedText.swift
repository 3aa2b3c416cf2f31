import ApusData
import ApusTensor

/// `[batch, time]`: whether a position contains a token and not padding.
func isText(_ tokens: Tensor) -> Tensor { tokens .!= ReservedToken.padding }

/// The mean of `[batch, time, size]` over the positions of the text: `[batch, size]`, zeros for an empty text.
func meanOverText(_ states: Tensor, _ isText: Tensor) -> Tensor {
  let weights = isText.cast(to: states.dtype).expandingAxis(at: 2)
  return (states * weights).sum(axis: 1) / weights.sum(axis: 1).clamped(lower: 1)
}
