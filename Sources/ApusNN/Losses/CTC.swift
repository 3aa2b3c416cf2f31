import ApusTensor

/// Connectionist temporal classification (Graves et al., 2006; `torch.nn.CTCLoss`): the negative logarithm of the
/// probability that a path through the times spells the target, when repeated classes count once and blanks nothing.
///
/// With `l = (blank, t₁, blank, t₂, …, blank)` and `eₜ(s) = logProbabilities[t, lₛ]` of one example:
/// ```
/// αₜ(s) = eₜ(s) + log(e^αₜ₋₁(s) + e^αₜ₋₁(s−1) + [lₛ ≠ lₛ₋₂] e^αₜ₋₁(s−2))
/// loss = −log(e^α_T(2S) + e^α_T(2S−1))
/// ```
/// for `T` times and `S` classes of a target, in one loop over the times. Its derivatives are exact, also with respect
/// to single elements of `logProbabilities`: `∂loss/∂eₜ(s)` is minus the probability that the path is at `s` at time
/// `t`. PyTorch adds `e^logProbabilities`, which a log-softmax takes away again: behind one the gradients are equal.
///
/// - Parameters:
///   - logProbabilities: `[time, batch, classes]`, for example of `logSoftmax()`.
///   - targets: integers, classes other than the blank: `[batch, longest]`, where elements behind the end of a target
///     may be anything, or one target behind the other, `[Σ targetLengths]`.
///   - inputLengths: the number of times of each example, in `0 ... time`.
///   - targetLengths: the number of classes of each target.
///   - blank: the class that stands for nothing.
///   - reduction: `mean` divides each loss by the length of its target (at least 1) first.
///   - zeroInfinity: whether a target that no path can spell, whose loss is infinite, counts as a loss of 0. Its
///     gradient is 0 in any case.
/// - Returns: one number, or with `reduction: .none` `[batch]`; `float64` if the probabilities are, else `float32`.
/// - Throws (when the value is read): `DeviceError.indexOutOfRange` for a target that is no class.
public func ctcLoss(
  _ logProbabilities: Tensor, _ targets: Tensor, inputLengths: [Int], targetLengths: [Int], blank: Int = 0,
  reduction: LossReduction = .mean, zeroInfinity: Bool = false
) -> Tensor {
  let sizes = CTCSizes(inputLengths: inputLengths, targetLengths: targetLengths, blank: blank)
  if let problem = sizes.problem(logProbabilities, targets) {
    ShapeError("ctcLoss", problem).report()
    return logProbabilities.sum()
  }
  let x = logProbabilities.cast(to: logProbabilities.dtype == .float64 ? .float64 : .float32)
  let labels = sizes.labels(targets)
  let losses = -sizes.pathSums(x, labels)
  let isPossible = losses.less(than: -ctcImpossible / 2)
  let other = Tensor.number(zeroInfinity ? 0 : .infinity, dtype: x.dtype, device: x.device)
  let found = isPossible.logicalOr(losses.isNaN()).select(losses, other)
  guard case .mean = reduction else { return reduction(found) }
  let divisors = targetLengths.map { Float(max($0, 1)) }
  return (found / Tensor(divisors, device: x.device).cast(to: x.dtype)).mean()
}

/// The logarithm of a probability of 0. A number, so that differences of two of them are: what follows of it is 0, and
/// never NaN, in the gradients too.
private let ctcImpossible = -1e30

/// The lengths of a batch of examples, which are known before anything is computed.
private struct CTCSizes {
  let inputLengths: [Int]
  let targetLengths: [Int]
  let blank: Int

  /// The extent of the padded targets.
  private var longest: Int { targetLengths.max() ?? 0 }
  private var batch: Int { targetLengths.count }

  func problem(_ x: Tensor, _ targets: Tensor) -> String? {
    guard x.rank == 3, x.dtype.isFloatingPoint, !x.shape.contains(0) else {
      return "\(x.dtype) \(x.shape) are not logarithms of probabilities [time, batch, classes]"
    }
    let (time, batch, classes) = (x.shape[0], x.shape[1], x.shape[2])
    guard (0..<classes).contains(blank) else { return "the blank \(blank) is not one of \(classes) classes" }
    guard inputLengths.count == batch, targetLengths.count == batch else {
      return "\(inputLengths.count) lengths of inputs and \(targetLengths.count) of targets are given for a batch of "
        + "\(batch)"
    }
    if let bad = inputLengths.first(where: { $0 < 0 || $0 > time }) {
      return "the length \(bad) of an input is not in 0 ... \(time)"
    }
    if let bad = targetLengths.first(where: { $0 < 0 }) { return "the length \(bad) of a target is negative" }
    guard targets.dtype.isInteger else { return "the targets are \(targets.dtype), not integers" }
    let isPadded = targets.rank == 2 && targets.shape[0] == batch && targets.shape[1] >= longest
    guard isPadded || targets.shape == [targetLengths.reduce(0, +)] else {
      return "targets \(targets.shape) of the lengths \(targetLengths) are neither [\(batch), \(longest) or more] nor "
        + "[\(targetLengths.reduce(0, +))]"
    }
    return nil
  }

  /// The targets with blanks around each class, and in place of what lies behind the end: `[batch, 2 · longest + 1]`.
  func labels(_ targets: Tensor) -> Tensor {
    let device = targets.device
    let blanks = Tensor.number(Double(blank), dtype: .int32, device: device)
    let column = blanks.broadcast(to: [batch, 1])
    guard longest > 0 else { return column }
    var classes = targets.dtype == .int64 ? targets : targets.cast(to: .int32)
    if classes.rank == 1 {
      let places = targetLengths.indices.flatMap { example -> [Int32] in
        let start = targetLengths[..<example].reduce(0, +)
        return (0..<longest).map { Int32($0 < targetLengths[example] ? start + $0 : 0) }
      }
      classes = classes.gathering(Tensor(places, shape: [batch, longest], device: device))
    } else {
      classes = classes.slice(1, from: 0, count: longest)
    }
    let flags = targetLengths.flatMap { length in (0..<longest).map { $0 < length } }
    let isClass = Tensor(flags, shape: [batch, longest], device: device)
    let known = isClass.select(classes, blanks.cast(to: classes.dtype))
    let pairs = Tensor.stacked([column.cast(to: known.dtype).broadcast(to: [batch, longest]), known], alongAxis: 2)
    return .concatenated([pairs.reshaped(to: [batch, 2 * longest]), column.cast(to: known.dtype)], alongAxis: 1)
  }

  /// The logarithms of the probabilities of the targets, `[batch]`.
  func pathSums(_ x: Tensor, _ labels: Tensor) -> Tensor {
    let (time, count) = (x.shape[0], labels.shape[1])
    let impossible = Tensor.number(ctcImpossible, dtype: x.dtype, device: x.device)
    let everywhere = labels.expandingAxis(at: 0).broadcast(to: [time, batch, count])
    // An infinity would make NaN of differences.
    let emissions = x.elements(at: everywhere, alongAxis: 2).maximum(impossible)
    let flags = (0..<time).flatMap { time in inputLengths.map { time < $0 } }
    let isTime = Tensor(flags, shape: [time, batch, 1], device: x.device)
    let mayLeap = maySkip(labels)
    // Before the first time there is one path: in front of the first blank, from where it goes on to blank or class.
    let first = Tensor.zeros([batch, 1], dtype: x.dtype, device: x.device)
    let start = count == 1 ? first : first.padded(by: [(0, 0), (0, count - 1)], value: ctcImpossible)
    let (last, _) = loop(over: [emissions, isTime], carrying: [start]) { carried, elements in
      let stays = carried[0]
      let padded = stays.padded(by: [(0, 0), (2, 0)], value: ctcImpossible)
      let steps = padded.slice(1, from: 1, count: count)
      let leaps = mayLeap.select(padded.slice(1, from: 0, count: count), impossible)
      let largest = stays.maximum(steps).maximum(leaps).stopGradient()
      let sum = (stays - largest).exp() + (steps - largest).exp() + (leaps - largest).exp()
      return ([elements[1].select(largest + sum.log() + elements[0], stays)], [])
    }
    // The path ends at the last class or behind it.
    let ends = targetLengths.flatMap { length in (0..<count).map { $0 == 2 * length || $0 == 2 * length - 1 } }
    let isEnd = Tensor(ends, shape: [batch, count], device: x.device)
    return isEnd.select(last[0], impossible).logSumExp([1])
  }

  /// `[batch, 2 · longest + 1]`: where a path may come from two places before, over a blank between two classes that
  /// differ.
  private func maySkip(_ labels: Tensor) -> Tensor {
    let count = labels.shape[1]
    let none = Tensor.zeros([batch, min(count, 2)], dtype: .bool, device: labels.device)
    guard count > 2 else { return none }
    let differs = labels.slice(1, from: 2, count: count - 2).notEqual(to: labels.slice(1, from: 0, count: count - 2))
    return .concatenated([none, differs], alongAxis: 1)
  }
}
