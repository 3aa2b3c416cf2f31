import ApusTensor

/// Connectionist temporal classification (Graves et al., 2006; `torch.nn.CTCLoss`): the negative logarithm of the
/// total probability of all paths that spell the target. A path has one class for each time step. It spells the target
/// if merging repeated classes and then removing blanks gives the target.
///
/// For a single example, let `k₁ … k_S` be the classes of its target, `l = (blank, k₁, blank, k₂, …, k_S, blank)`, with
/// positions `s` counted from 0, and `eₜ(s) = logProbabilities[t − 1, lₛ]` for `t = 1 … T`. The recursion starts at
/// `α₀(0) = 0` and, for all other `s`, `α₀(s) = −∞`:
/// ```text
/// αₜ(s) = eₜ(s) + log(e^αₜ₋₁(s) + e^αₜ₋₁(s−1) + [lₛ ≠ lₛ₋₂] e^αₜ₋₁(s−2))
/// loss = −log(e^α_T(2S) + e^α_T(2S−1))
/// ```
/// `T` is the input length of the example. `[condition]` is 1 if the condition holds, else 0. The derivatives of the
/// loss are exact, also with respect to single elements of `logProbabilities`: `∂loss/∂eₜ(s)` is minus the probability
/// that a path that spells the target is at `s` at time `t`. PyTorch adds `e^logProbabilities` to the gradient. If the
/// log-probabilities come from a log-softmax, the gradient of the log-softmax cancels this term, and the gradients of
/// the logits equal PyTorch's.
///
/// - Parameters:
///   - logProbabilities: floating-point, `[time, batch, classes]`, for example from `logSoftmax()`, or
///     `[time, classes]` for a single example; no axis is empty.
///   - targets: integers, classes other than the blank: `[batch, longest]`, where elements after the end of a target
///     are ignored, or all targets concatenated, `[Σ targetLengths]`. For a single example they are `[1, longest]` or
///     `[targetLength]`.
///   - inputLengths: the number of time steps of each example, in `0 ... time`.
///   - targetLengths: the number of classes of each target.
///   - blank: the index of the blank class.
///   - reduction: `mean` divides each loss by the length of its target (at least 1), then averages over the batch.
///   - zeroInfinity: whether the infinite loss of a target that no path can spell is replaced by 0. The gradient of
///     such a loss is 0 with either setting.
/// - Returns: a scalar; with `reduction: .none` one loss for each example, `[batch]`, or `[]` if
///   `logProbabilities` is `[time, classes]`. The type is `float64` if `logProbabilities` is, else `float32`.
/// - Throws (when the value is read): `DeviceError.indexOutOfRange` for a target that is the blank or not a class.
public func ctcLoss(
  _ logProbabilities: Tensor, _ targets: Tensor, inputLengths: [Int], targetLengths: [Int], blank: Int = 0,
  reduction: LossReduction = .mean, zeroInfinity: Bool = false
) -> Tensor {
  if logProbabilities.rank == 2 {
    let losses = ctcLoss(
      logProbabilities.expandingAxis(at: 1), targets, inputLengths: inputLengths, targetLengths: targetLengths,
      blank: blank, reduction: reduction, zeroInfinity: zeroInfinity)
    return losses.rank == 1 ? losses.squeezingAxis(at: 0) : losses
  }
  let sizes = CTCSizes(inputLengths: inputLengths, targetLengths: targetLengths, blank: blank)
  if let problem = sizes.problem(logProbabilities, targets) {
    ShapeError("ctcLoss", problem).report()
    return logProbabilities.sum()
  }
  let x = logProbabilities.cast(to: logProbabilities.dtype == .float64 ? .float64 : .float32)
  let losses = -sizes.pathSums(x, targets)
  let isPossible = losses .< -ctcImpossible / 2
  let other = Tensor.number(zeroInfinity ? 0 : .infinity, dtype: x.dtype, device: x.device)
  let found = isPossible.logicalOr(losses.isNaN()).select(losses, other)
  guard case .mean = reduction else { return reduction(found) }
  let divisors = targetLengths.map { Float(max($0, 1)) }
  return (found / Tensor(divisors, device: x.device).cast(to: x.dtype)).mean()
}

/// Stands for the logarithm of 0. It is finite, so that differences of two such values are never NaN, also in
/// gradients.
private let ctcImpossible = -1e30

/// The lengths of a batch of examples, known before evaluation.
private struct CTCSizes {
  let inputLengths: [Int]
  let targetLengths: [Int]
  let blank: Int

  private var longest: Int { targetLengths.max() ?? 0 }
  /// The number of classes and surrounding blanks of the longest target.
  private var count: Int { 2 * longest + 1 }
  private var batch: Int { targetLengths.count }

  func problem(_ x: Tensor, _ targets: Tensor) -> String? {
    guard x.rank == 3, x.dtype.isFloatingPoint, !x.shape.contains(0) else {
      return "\(x.dtype) \(x.shape) are not log-probabilities [time, batch, classes]"
    }
    let (time, batch, classes) = (x.shape[0], x.shape[1], x.shape[2])
    guard (0..<classes).contains(blank) else { return "the blank \(blank) is not one of \(classes) classes" }
    guard inputLengths.count == batch, targetLengths.count == batch else {
      return "got \(inputLengths.count) input lengths and \(targetLengths.count) target lengths for a batch of \(batch)"
    }
    if let bad = inputLengths.first(where: { $0 < 0 || $0 > time }) {
      return "the input length \(bad) is not in 0 ... \(time)"
    }
    if let bad = targetLengths.first(where: { $0 < 0 }) { return "the target length \(bad) is negative" }
    guard targets.dtype.isInteger else { return "the targets are \(targets.dtype), not integers" }
    let isPadded = targets.rank == 2 && targets.shape[0] == batch && targets.shape[1] >= longest
    guard isPadded || targets.shape == [targetLengths.reduce(0, +)] else {
      return "targets \(targets.shape) of lengths \(targetLengths) are neither [\(batch), \(longest) or more] nor "
        + "[\(targetLengths.reduce(0, +))]"
    }
    return nil
  }

  /// Returns, for each position in `(blank, k₁, blank, k₂, …, blank)`, the class `distance` positions earlier. The
  /// first `distance` positions get their own class. The shape is `[batch, 2 · longest + 1]`. After the end of a target
  /// the sequence continues with blanks.
  func labels(_ targets: Tensor, distance: Int = 0) -> Tensor {
    let flat = targets.reshaped(to: [targets.elementCount])
    let classes = flat.dtype == .int64 ? flat : flat.cast(to: .int32)
    let blanks = Tensor.zeros([1], dtype: classes.dtype, device: targets.device) + blank
    let width = targets.rank == 2 ? targets.shape[1] : nil
    var start = 0
    var indices: [Int32] = []
    for (example, length) in targetLengths.enumerated() {
      if let width { start = example * width }
      for position in 0..<count {
        let source = position < distance ? position : position - distance
        let isClass = source % 2 == 1 && source / 2 < length
        indices.append(Int32(isClass ? start + source / 2 : classes.elementCount))
      }
      start += length
    }
    return Tensor.concatenated([classes, blanks])
      .rows(at: Tensor(indices, shape: [batch, count], device: targets.device), for: "ctcLoss")
  }

  /// Replaces each blank among the classes of a target by the invalid index −1, so that evaluation throws.
  private func refusingBlanks(_ labels: Tensor) -> Tensor {
    let flags = targetLengths.flatMap { length in (0..<count).map { $0 % 2 == 1 && $0 / 2 < length } }
    let isClass = Tensor(flags, shape: labels.shape, device: labels.device)
    let none = Tensor.number(-1, dtype: labels.dtype, device: labels.device)
    return isClass.logicalAnd(labels .== blank).select(none, labels)
  }

  /// The logarithms of the targets' probabilities, `[batch]`.
  func pathSums(_ x: Tensor, _ targets: Tensor) -> Tensor {
    let time = x.shape[0]
    let labels = labels(targets)
    let impossible = Tensor.number(ctcImpossible, dtype: x.dtype, device: x.device)
    let indices = refusingBlanks(labels).expandingAxis(at: 0).broadcast(to: [time, batch, count])
    let emissions = x.elements(at: indices, axis: 2, for: "ctcLoss")
    let isTime = SequenceLengths.known(inputLengths).mask(count: time, device: x.device)
    // A path may skip a blank between two different classes.
    let mayLeap = labels .!= self.labels(targets, distance: 2)
    // Before the first time step there is one path, at the first blank. In the first time step it stays there or moves
    // to the first class.
    let begin = (0..<batch * count).map { $0 % count == 0 ? 0 : Float(ctcImpossible) }
    let start = Tensor(begin, shape: [batch, count], device: x.device).cast(to: x.dtype)
    let (last, _) = loop(over: [emissions, isTime], carrying: [start]) { carried, elements in
      let stays = carried[0]
      let padded = stays.padded(by: [(0, 0), (2, 0)], value: ctcImpossible)
      let steps = padded.slice(axis: 1, from: 1, count: count)
      let leaps = mayLeap.select(padded.slice(axis: 1, from: 0, count: count), impossible)
      let largest = stays.maximum(steps).maximum(leaps).stopGradient()
      let sum = (stays - largest).exp() + (steps - largest).exp() + (leaps - largest).exp()
      // A log-probability of −∞ would turn differences into NaN.
      let next = largest + sum.log() + elements[0].maximum(impossible)
      return ([elements[1].select(next, stays)], [])
    }
    // The path ends at the last class or at the blank after it.
    let ends = targetLengths.flatMap { length in (0..<count).map { $0 == 2 * length || $0 == 2 * length - 1 } }
    let isEnd = Tensor(ends, shape: [batch, count], device: x.device)
    return isEnd.select(last[0], impossible).logSumExp(axis: 1)
  }
}
