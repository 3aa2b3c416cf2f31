import ApusTensor

/// `−w_t l_t` for log-probabilities `l` and a class index `t` (`torch.nn.NLLLoss`).
///
/// - Parameters:
///   - logProbabilities: `[batch, classes]` or `[batch, classes, spatial…]`, or `[classes]` for a single example.
///     `logSoftmax(axis: 1)` computes them from logits.
///   - targets: integers in `0 ..< classes`: `[batch]` or `[batch, spatial…]`, or `[]` for a single example.
///   - ignoring: a target value whose loss is 0 and which does not count in the mean.
///   - weights: `w`, `[classes]`; the mean divides the sum of losses by `Σ w_t`.
/// - Returns: a scalar, or with `reduction: .none` a tensor of the shape of `targets`.
/// - Throws (when the value is read): `DeviceError.indexOutOfRange` for a target that is neither a class nor equal to
///   `ignoring`.
public func negativeLogLikelihood(
  _ logProbabilities: Tensor, _ targets: Tensor, reduction: LossReduction = .mean, ignoring: Int? = nil,
  weights: Tensor? = nil
) -> Tensor {
  if logProbabilities.rank == 1 {
    return ofOneExample(logProbabilities, targets) {
      negativeLogLikelihood($0, $1, reduction: reduction, ignoring: ignoring, weights: weights)
    }
  }
  guard fits(targets, logProbabilities, weights, "negativeLogLikelihood") else { return logProbabilities.sum() }
  let name = "negativeLogLikelihood"
  return logProbabilities.wide { x in
    ClassChoice(targets, like: x, ignoring: ignoring, weights: weights, for: name).likelihoods(x, reduction, for: name)
  }
}

/// Class-index targets with their weights.
struct ClassChoice {
  /// The targets; ignored ones are replaced by class 0.
  let classes: Tensor
  /// Whether each target counts; `nil` if all do.
  private let counts: Tensor?
  /// The weight of each target; `nil` if all weights are 1.
  let weights: Tensor?

  /// - Parameters:
  ///   - x: a tensor with the type that the weights are cast to.
  ///   - operation: the name of the loss in errors.
  init(_ targets: Tensor, like x: Tensor, ignoring: Int?, weights: Tensor?, for operation: String) {
    counts = ignoring.map { targets .!= $0 }
    let classes =
      counts.map { $0.select(targets, Tensor.number(0, dtype: targets.dtype, device: targets.device)) } ?? targets
    self.classes = classes
    self.weights = weights.map { $0.cast(to: x.dtype).rows(at: classes, for: operation) }
  }

  /// The negative log-likelihoods of the targets, reduced.
  func likelihoods(_ logProbabilities: Tensor, _ reduction: LossReduction, for operation: String) -> Tensor {
    var losses = -logProbabilities.picking(classes, axis: 1, for: operation)
    if let weights { losses = losses * weights }
    return reduced(losses, reduction)
  }

  /// Reduces losses. Ignored targets add 0, and a mean divides by the sum of the other targets' weights.
  /// - Parameter losses: weighted losses.
  func reduced(_ losses: Tensor, _ reduction: LossReduction) -> Tensor {
    let zero = Tensor.number(0, dtype: losses.dtype, device: losses.device)
    let kept = counts?.select(losses, zero) ?? losses
    guard case .mean = reduction, counts != nil || weights != nil else { return reduction(kept) }
    let weight = weights.map { counts?.select($0, zero) ?? $0 } ?? counts!.cast(to: losses.dtype)
    return kept.sum() / weight.sum()
  }
}

extension Tensor {
  /// Reshapes one value for each class, `[classes]`, to `[1, classes, 1…]`, which broadcasts to `x`.
  func alongClasses(of x: Tensor) -> Tensor {
    var shape = Shape(repeating: 1, count: x.rank)
    shape[1] = elementCount
    return cast(to: x.dtype).reshaped(to: shape)
  }
}

/// Computes the loss of one example, `outputs: [classes]` with one target, as a batch of one.
func ofOneExample(_ outputs: Tensor, _ targets: Tensor, _ loss: (Tensor, Tensor) -> Tensor) -> Tensor {
  let found = loss(outputs.expandingAxis(at: 0), targets.expandingAxis(at: 0))
  return found.rank == 0 ? found : found.squeezingAxis(at: 0)
}

/// Whether targets are class indices for `logits`, and weights, if given, match the number of classes. Reports an error
/// if targets or weights do not fit.
func fits(_ targets: Tensor, _ logits: Tensor, _ weights: Tensor?, _ name: String) -> Bool {
  guard logits.rank >= 2, targets.shape == logits.shape.removing(1), targets.dtype.isInteger else {
    ShapeError(
      name,
      "\(targets.dtype) targets \(targets.shape) do not fit logits \(logits.shape), [batch, classes, spatial…]; "
        + "targets must be integers [batch, spatial…]"
    ).report()
    return false
  }
  return fits(weights, logits, name)
}

/// Whether weights, if given, match the number of classes of `logits`. Reports an error if they do not.
func fits(_ weights: Tensor?, _ logits: Tensor, _ name: String) -> Bool {
  guard let weights, weights.shape != [logits.shape[1]] else { return true }
  ShapeError(name, "weights \(weights.shape) must have one value for each of \(logits.shape[1]) classes").report()
  return false
}
