import Apus

extension OpCase {
  /// The input shapes of most reductions. In the last one, an axis has the extent 0.
  public static let reductionInputs = notEmpty + [[[2, 0, 3]]]
  /// The input shapes of reductions such as `max`, which have no result if a reduced axis has the extent 0.
  public static let notEmpty: [[Shape]] = [[[3, 4, 5]], [[2, 300, 3]], [[1, 1, 1]]]

  /// Three reductions: over two of three axes, over one axis that is kept with extent 1, and over all axes. They all
  /// run with `shapes`. If `shapes` has no empty input, the first two also run with an empty input, in which an axis
  /// that is not reduced has the extent 0.
  public static func reduction(
    _ name: String, on range: ClosedRange<Double> = -2...2, dtypes: [DType] = floats,
    shapes: [[Shape]] = reductionInputs,
    tolerance: Tolerance, derivatives: Derivatives = .second,
    _ apply: @escaping @Sendable (Tensor, [Int]?, Bool) -> Tensor,
    _ function: @escaping @Sendable ([Double]) -> Double
  ) -> [OpCase] {
    let forms: [(String, [Int]?, Bool)] = [("", [0, -1], false), ("(kept)", [1], true), ("(all)", nil, false)]
    return forms.map { form, axes, keeping in
      let hasEmpty = shapes.contains { $0[0].elementCount == 0 }
      let empty: [[Shape]] = hasEmpty || axes == nil ? [] : [axes == [1] ? [[0, 4, 5]] : [[2, 0, 3]]]
      return OpCase(
        name + form, inputs: [.numbers(range)], shapes: shapes + empty, dtypes: dtypes, tolerance: tolerance,
        derivatives: derivatives, apply: { apply($0[0], axes, keeping) },
        reference: { $0[0].reduced((axes ?? [0, 1, 2]).map { $0 < 0 ? $0 + 3 : $0 }, keeping: keeping, function) })
    }
  }
}
