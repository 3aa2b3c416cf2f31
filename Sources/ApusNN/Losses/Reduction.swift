import ApusTensor

/// What becomes of the losses of single examples.
public enum LossReduction: Sendable {
  case mean
  case sum
  case none

  func callAsFunction(_ losses: Tensor) -> Tensor {
    switch self {
    case .mean: losses.mean()
    case .sum: losses.sum()
    case .none: losses
    }
  }
}
