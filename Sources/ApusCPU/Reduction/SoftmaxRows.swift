import ApusDevice
import ApusCSIMD
import ApusSystem

/// Consecutive steps of a plan that compute the softmax or the log-sum-exp of rows. A row consists of the elements that
/// are reduced to one maximum and one sum. The steps compute
///
/// 1. the maximum of each row,
/// 2. optionally, the shift: the maximum, or a scalar if the maximum is not finite,
/// 3. optionally, the exponentials `exp(x − shift)` of the row's elements `x`,
/// 4. the sum of these exponentials,
/// 5. optionally, the exponentials times the reciprocal of the sum.
///
/// Without step 2, the shift is the maximum.
struct SoftmaxPattern {
  /// The number of steps, including the maximum.
  private(set) var count = 1
  /// The index of the step that computes the sum.
  private(set) var sum = 0
  /// The value whose rows are reduced. Like all values here, it is an index into `Plan.values`.
  let numbers: Int
  let lane: Lane
  /// The number of elements of a row.
  let length: Int
  /// The value with the maximum of each row. Each optional value below is `nil` if the pattern has no step that
  /// computes it.
  let maxima: Int
  /// The value with the shifts; `scalar` is an index into the plan's scalar bank.
  private(set) var shift: (value: Int, scalar: Int)?
  private(set) var exponentials: Int?
  private(set) var quotients: Int?

  /// Equals `exponentials` if no later step reads them, so that they need not be stored; otherwise `nil`.
  private(set) var unstored: Int?

  /// The values that the steps use when they run as one.
  func values(sum: Step) -> [Int] {
    let all = Set([numbers, maxima, shift?.value, exponentials, quotients].compactMap { $0 } + sum.values)
    return all.filter { $0 != unstored }
  }

  /// The minimum length of a row: with fewer elements than a vector, most of the work would be padding.
  private static let leastLength = 16
  private let domain: Shape
  private let axes: [Int]

  /// Matches the longest pattern at the start of `steps`; `nil` if `steps` do not begin with such a pattern.
  ///
  /// - Parameters:
  ///   - isLast: whether no step after the step with index `step` reads `value`.
  ///   - mayAlias: whether two values may share bytes.
  init?(_ steps: [Step], isLast: (_ value: Int, _ step: Int) -> Bool, mayAlias: (Int, Int) -> Bool) {
    guard case .reduction(let maximum)? = steps.first, maximum.reducers == [.max],
      maximum.prologue.instructions.isEmpty, maximum.prologue.outputs[0].register == 0,
      case .tensor(let source)? = maximum.arguments.first, source.layout.isIdentity,
      let maxima = maximum.epilogue.plainResult, maxima.layout.isIdentity
    else { return nil }
    (numbers, self.maxima, domain, axes) = (source.value, maxima.value, maximum.domain, maximum.axes)
    lane = maximum.prologue.inputs[0].lane
    length = axes.reduce(1) { $0 * maximum.domain[$1] }
    guard lane.dtype.isFloatingPoint, case .tensor(lane.dtype) = maximum.prologue.inputs[0], length >= Self.leastLength
    else { return nil }
    var rest = steps.dropFirst()
    if let shift = rest.first.flatMap(shift) {
      self.shift = shift
      rest.removeFirst()
    }
    if let exponentials = rest.first.flatMap(exponentials), !mayAlias(exponentials, numbers) {
      self.exponentials = exponentials
      rest.removeFirst()
    }
    guard case .reduction(let sum)? = rest.first, isSum(sum) else { return nil }
    self.sum = rest.startIndex
    rest.removeFirst()
    count = rest.startIndex
    guard let exponentials else { return }
    if isLast(exponentials, count), let quotients = rest.first.flatMap({ self.quotients($0, sum) }) {
      self.quotients = quotients
      count += 1
    }
    if isLast(exponentials, count - 1) { unstored = exponentials }
  }

  private func shift(_ step: Step) -> (value: Int, scalar: Int)? {
    guard case .elementwise(let step) = step, step.segments.count == 1,
      step.program.inputs == [.tensor(lane.dtype), .scalar(lane)],
      step.program.instructions == [
        Instruction(.isFinite, lane: lane, result: .int32, operands: [0]),
        Instruction(.select, lane: lane, operands: [2, 0, 1]),
      ],
      let result = result(step, register: 3), case .tensor(let source) = step.segments[0].arguments[0],
      source.value == maxima, source.layout.isIdentity, case .scalar(let scalar) = step.segments[0].arguments[1]
    else { return nil }
    return (result, scalar)
  }

  private func exponentials(_ step: Step) -> Int? {
    guard case .elementwise(let step) = step, step.segments.count == 1, isDifference(step.program),
      step.segments[0].domain == domain, isShifted(step.segments[0].arguments)
    else { return nil }
    return result(step, register: 3)
  }

  private func isSum(_ step: Reduction) -> Bool {
    guard step.reducers == [.sum], step.domain == domain, step.axes == axes else { return false }
    guard let exponentials else { return isDifference(step.prologue) && isShifted(step.arguments) }
    return step.prologue.instructions.isEmpty && step.prologue.outputs[0].register == 0
      && isRows(step.arguments[0], of: exponentials)
  }

  private func quotients(_ step: Step, _ sum: Reduction) -> Int? {
    let epilogue = sum.epilogue
    guard case .elementwise(let step) = step, step.segments.count == 1, let exponentials,
      step.program.inputs == [.tensor(lane.dtype), .tensor(lane.dtype)],
      step.program.instructions == [Instruction(.multiply, lane: lane, operands: [0, 1])],
      epilogue.program.inputs == [.core(lane)],
      epilogue.program.instructions == [Instruction(.reciprocal, lane: lane, operands: [0])],
      epilogue.program.outputs == [.init(register: 1, dtype: lane.dtype)],
      epilogue.binding.results[0].layout.isIdentity
    else { return nil }
    let (segment, divisors) = (step.segments[0], epilogue.binding.results[0].value)
    guard segment.domain == domain, isRows(segment.arguments[0], of: exponentials),
      isRepeated(segment.arguments[1], divisors)
    else { return nil }
    return result(step, register: 2)
  }

  /// The value that a step writes completely and without conversion.
  private func result(_ step: Elementwise, register: Int) -> Int? {
    guard step.program.outputs == [.init(register: register, dtype: lane.dtype)],
      step.segments[0].results[0].layout.isIdentity
    else { return nil }
    return step.segments[0].results[0].value
  }

  private func isDifference(_ program: Program) -> Bool {
    program.inputs == [.tensor(lane.dtype), .tensor(lane.dtype)] && program.outputs[0].register == 3
      && program.instructions == [
        Instruction(.subtract, lane: lane, operands: [0, 1]), Instruction(.exp, lane: lane, operands: [2]),
      ]
  }

  private func isShifted(_ arguments: [Argument]) -> Bool {
    isRows(arguments[0], of: numbers) && isRepeated(arguments[1], shift?.value ?? maxima)
  }

  private func isRows(_ argument: Argument, of value: Int) -> Bool {
    guard case .tensor(let operand) = argument else { return false }
    return operand.value == value && operand.layout.isIdentity
  }

  /// Whether an argument reads `value` with one element per row, broadcast over the row.
  private func isRepeated(_ argument: Argument, _ value: Int) -> Bool {
    guard case .tensor(let operand) = argument, operand.value == value else { return false }
    let kept = (0..<domain.rank).filter { !axes.contains($0) }
    return operand.layout.selecting(kept).isIdentity && operand.layout.selecting(axes).raw.isRepeated
  }
}

/// Computes the softmax or log-sum-exp of rows in one step.
final class SoftmaxRowsStep: RowwiseStep {
  let workspaceByteCount: Int
  let weight: Int
  private let pattern: SoftmaxPattern
  private let sum: ReductionStep
  private let run: (UnsafePointer<csimd_softmax>?) -> Void
  private let rowOffset: Int
  private var streams: Bool

  var sharedByteCount: Int { sum.sharedByteCount }

  /// - Parameter steps: the steps to replace; `pattern.sum` is an index of this list.
  init(_ pattern: SoftmaxPattern, _ steps: [any RowwiseStep], _ builder: StepBuilder) {
    self.pattern = pattern
    sum = steps[pattern.sum] as! ReductionStep
    weight = steps.reduce(0) { $0 + $1.weight }
    run = pattern.lane.entry(of: builder.loops.pointee.softmax_rows)
    rowOffset = roundUp(steps.map(\.workspaceByteCount).max()!, toMultipleOf: 64)
    workspaceByteCount = rowOffset + (pattern.quotients == nil ? 0 : pattern.length * pattern.lane.byteCount)
    streams = false
    if let quotients = pattern.quotients, !builder.mayAlias(quotients, pattern.numbers) {
      let values = builder.plan.values
      streams = values[quotients].byteCount + values[pattern.numbers].byteCount >= CacheLimits.stepByteCount
    }
  }

  func run(
    rows: Range<Int>, of rowCount: Int, _ frame: RunFrame, workspace: UnsafeMutableRawPointer,
    shared: UnsafeMutableRawPointer
  ) {
    let byteCount = pattern.lane.byteCount
    func numbers(_ value: Int?, perRow count: Int) -> UnsafeMutableRawPointer? {
      value.map { frame.values[$0]! + rows.lowerBound * count * byteCount }
    }
    sum.run(rows: rows, frame, workspace: workspace, shared: shared) { cores in
      // Quotients are computed from one row of exponentials at a time, which is stored in the workspace.
      let stored = pattern.unstored == nil ? numbers(pattern.exponentials, perRow: pattern.length) : nil
      let exponentials = pattern.quotients == nil ? stored : workspace + rowOffset
      var raw = csimd_softmax(
        rows: rows.count, count: pattern.length, numbers: numbers(pattern.numbers, perRow: pattern.length),
        maxima: numbers(pattern.maxima, perRow: 1), shifts: numbers(pattern.shift?.value, perRow: 1),
        substitute: pattern.shift.map { UnsafeRawPointer(frame.scalars + $0.scalar * Int(CSIMD_SPLAT_BYTES)) },
        sums: cores[0]! + rows.lowerBound * byteCount,
        exponentials: exponentials,
        quotients: numbers(pattern.quotients, perRow: pattern.length), streams: streams ? 1 : 0)
      run(&raw)
    }
  }

  func keepInCache(_ values: Set<Int>) {
    sum.keepInCache(values)
    if let quotients = pattern.quotients, values.contains(quotients) { streams = false }
  }
}
