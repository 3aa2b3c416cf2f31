import ApusTensor

/// The weight decay of a step, or none.
struct WeightDecay {
  /// `decay` of the coupled form, `1 − rate · decay` of the decoupled form; `nil` without weight decay.
  private let factor: Tensor?
  private let isDecoupled: Bool

  /// Coupled weight decay or, with the learning rate of the step, decoupled weight decay (Loshchilov, Hutter, 2019).
  init(_ decay: Double, decoupledAt rate: Double? = nil, _ number: (Double) -> Tensor) {
    factor = decay == 0 ? nil : number(rate.map { 1 - $0 * decay } ?? decay)
    isDecoupled = rate != nil
  }

  /// `gradient + decay · value`, the coupled form: the gradient of `decay / 2 · ‖value‖²` is added.
  func coupled(_ gradient: Tensor, _ value: Tensor) -> Tensor {
    factor.map { gradient + value * $0 } ?? gradient
  }

  /// The value and the gradient with weight decay: the decoupled form multiplies the value by `1 − rate · decay`, the
  /// coupled form changes the gradient.
  func apply(_ value: Tensor, _ gradient: Tensor) -> (value: Tensor, gradient: Tensor) {
    isDecoupled ? (factor.map { value * $0 } ?? value, gradient) : (value, coupled(gradient, value))
  }
}
