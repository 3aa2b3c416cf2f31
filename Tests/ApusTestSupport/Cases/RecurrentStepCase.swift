import ApusDevice
import Foundation
import Testing

/// A recurrent layer as the only step of a plan.
public struct RecurrentStepCase: StepCase, Sendable, CustomTestStringConvertible {
  public let geometry: Recurrent.Geometry
  private let isReversed: Bool
  private let hasMask: Bool
  private let hasBias: Bool
  /// Whether the forward pass stores the values that the backward pass needs.
  private let keeps: Bool
  /// Whether the backward pass gets the gradients of the states at all time steps (`all`), and whether it gets the
  /// gradients of the last states (`last`).
  private let gradients: (all: Bool, last: Bool)

  private init(
    _ kind: Recurrent.Kind, _ extents: [Int], isReversed: Bool = false, hasMask: Bool = false, hasBias: Bool = true,
    keeps: Bool = true, gradients: (all: Bool, last: Bool) = (true, true)
  ) {
    geometry = Recurrent.Geometry(kind: kind, times: extents[0], batch: extents[1], size: extents[2])
    (self.isReversed, self.hasMask, self.keeps, self.gradients) = (isReversed, hasMask, keeps, gradients)
    self.hasBias = hasBias && kind == .gru
  }

  /// The three numbers of a case are time steps, sequences and hidden size. They cover partial and whole blocks of all
  /// kernels. In OpenCL kernels, the sequences of a block (1 to 6, or 8) share each load of a weight, and a work-group
  /// computes one or more blocks. A vector register has 1 or 16 elements, and the backward pass multiplies by 1, 2 or 4
  /// registers of weights at a time. A tile of a product on the CPU has up to 12 rows and 32 columns.
  public static let all = [
    RecurrentStepCase(.tanh, [5, 9, 6]),
    RecurrentStepCase(.relu, [3, 2, 17], isReversed: true, hasMask: true),
    RecurrentStepCase(.lstm, [4, 5, 20]),
    RecurrentStepCase(.lstm, [3, 34, 7], isReversed: true, hasMask: true, gradients: (true, false)),
    RecurrentStepCase(.gru, [4, 5, 20], hasMask: true),
    RecurrentStepCase(.gru, [2, 13, 32], isReversed: true, hasBias: false, gradients: (false, true)),
    RecurrentStepCase(.lstm, [2, 7, 64], hasMask: true),
    RecurrentStepCase(.tanh, [3, 13, 64], isReversed: true),
    // Several blocks of sequences in each work-group; the last block is partial.
    RecurrentStepCase(.lstm, [4, 35, 48], isReversed: true, hasMask: true),
    RecurrentStepCase(.gru, [4, 26, 32], hasMask: true),
    // More elements than a work-group has work-items.
    RecurrentStepCase(.lstm, [2, 3, 300]),
    RecurrentStepCase(.lstm, [1, 1, 1], keeps: false),
    RecurrentStepCase(.gru, [2, 3, 8], keeps: false),
  ]

  public var testDescription: String {
    "\(geometry.kind) \(geometry.times)x\(geometry.batch) of \(geometry.size)" + (isReversed ? " reversed" : "")
      + (hasMask ? " masked" : "")
  }

  // MARK: - The plan

  private var counts: [Int] {
    let g = geometry
    return [
      g.gates * g.sequenceCount, g.stateCount, g.stateCount, g.gates * g.size * g.size, 3 * g.size,
      g.resultCount(.forward, keeps: keeps), g.sequenceCount, g.stateCount, g.stateCount,
    ]
  }

  /// A plan of one pass. Inputs: the input, the initial hidden and cell states, the weight, the bias, the forward
  /// result, the gradient of the states at all time steps, the gradients of the last hidden and cell states, the mask.
  /// Only an LSTM has cell states.
  public func plan(_ pass: Recurrent.Pass) -> Plan {
    let g = geometry
    var plan = Plan(inputCount: 10)
    for (index, count) in counts.enumerated() {
      plan.values.append(Plan.Value(dtype: .float32, elementCount: count, storage: .input(index)))
    }
    plan.values.append(Plan.Value(dtype: .bool, elementCount: g.times * g.batch, storage: .input(9)))
    let result = g.resultCount(pass, keeps: keeps)
    plan.values.append(Plan.Value(dtype: .float32, elementCount: result, storage: .output(0)))
    plan.outputs = [Plan.Output(byteCount: 4 * result)]
    let states = Array([1, 2].prefix(g.states))
    let step =
      pass == .forward
      ? Recurrent(
        forward: g, isReversed: isReversed, keeps: keeps, dtype: .float32, input: 0, states: states, weight: 3,
        bias: hasBias ? 4 : nil, mask: hasMask ? 9 : nil, result: 10)
      : Recurrent(
        backward: g, isReversed: isReversed, dtype: .float32, states: states, weight: 3, mask: hasMask ? 9 : nil,
        forward: 5, gradient: gradients.all ? 6 : nil,
        lastGradients: [7, 8].prefix(g.states).map { gradients.last ? $0 : nil }, result: 10)
    plan.steps = [Plan.PlannedStep(step: .recurrent(step), names: ["recurrent"])]
    return plan
  }

  func inputs(_ forward: [Float]?) -> [[UInt8]] {
    let numbers = counts.enumerated().map { place, count in
      if place == 5 { return Self.bytes(forward ?? Array(repeating: 0, count: count)) }
      return Self.bytes(Self.numbers(count, place).map { place == 3 ? 0.4 * $0 : $0 })
    }
    // Sequences of different lengths, and a sequence with a gap.
    let flags = (0..<geometry.times * geometry.batch).map { index -> UInt8 in
      let (time, row) = index.quotientAndRemainder(dividingBy: geometry.batch)
      return row % 4 == 3 ? (time == 1 ? 0 : 1) : time <= row % geometry.times ? 1 : 0
    }
    return numbers + [flags]
  }

  // MARK: - Runs

  var tolerance: Float { 6e-6 }

  /// The backward pass needs the values that the forward pass keeps.
  public var passes: [Recurrent.Pass] { keeps ? [.forward, .backward] : [.forward] }

  /// Describes, for each pass, the first element that differs between `device` and the reference device.
  public func problems(on device: any Device) throws -> [String] { try firstProblems(on: device) }

  /// The bits of the results of all passes.
  public func bits(on device: any Device) throws -> [[UInt32]] { try resultBits(on: device) }
}
