import ApusDevice
import Foundation
import Testing

/// A test case for an attention step. Operands are stored as `[batch, rows, heads, size + padding]`: a row has all
/// heads of one query, key or value, as projections produce them. The `padding` elements after each head are not used.
public struct AttentionStepCase: StepCase, Sendable, CustomTestStringConvertible {
  private let geometry: Attention.Geometry
  private let isCausal: Bool
  private let offset: Int?
  /// For each of the axes batch, heads, queries and keys, whether the mask varies along it; `nil` without a mask.
  private let mask: [Bool]?
  /// For each of the same four axes, whether the added mask varies along it; `nil` without an added mask.
  private let added: [Bool]?
  private let dropoutRate: Double?
  /// The type of queries, keys, values and the gradient.
  private let factorDtype: DType
  /// The number of elements after each head.
  private let padding: Int

  private init(
    _ extents: [Int], isCausal: Bool = false, offset: Int? = nil, mask: [Bool]? = nil, added: [Bool]? = nil,
    dropoutRate: Double? = nil, factorDtype: DType = .float32, padding: Int = 2
  ) {
    geometry = Attention.Geometry(
      batch: extents[0], heads: extents[1], groups: extents[2], queries: extents[3], keys: extents[4],
      size: extents[5], width: extents[6])
    (self.isCausal, self.offset, self.mask) = (isCausal, offset, mask)
    (self.added, self.dropoutRate) = (added, dropoutRate)
    (self.factorDtype, self.padding) = (factorDtype, padding)
  }

  /// In kernels of the class `cpu`, a work-item processes 16 queries, one in each lane of a vector register, and blocks
  /// of 8 keys. In kernels of the class `gpu`, it processes one query and blocks of 4 keys. The sizes cover whole and
  /// partial vectors and blocks. Random words come in Philox blocks of four; some rows of attention weights begin in
  /// the middle of such a block.
  public static let all = [
    AttentionStepCase([1, 1, 1, 1, 1, 1, 1]),
    AttentionStepCase([2, 2, 1, 5, 9, 3, 4]),
    AttentionStepCase([1, 2, 2, 18, 18, 4, 3], isCausal: true, dropoutRate: 0.5),
    AttentionStepCase([2, 2, 1, 35, 39, 3, 2], dropoutRate: 0.1),
    AttentionStepCase(
      [1, 1, 1, 3, 13, 2, 2], isCausal: true, offset: 9, mask: [true, true, true, true],
      added: [true, false, true, true], dropoutRate: 0.25),
    AttentionStepCase([1, 2, 1, 17, 5, 2, 5], isCausal: true, offset: -3, mask: [false, true, true, true]),
    AttentionStepCase([2, 1, 1, 4, 20, 2, 2], mask: [true, false, false, true]),
  ]

  /// Cases with 16-bit factors. In kernels for matrix units, a work-group computes 64 rows, in blocks of 64, 32 or 16
  /// columns, and an `mma` instruction adds 16 terms. The sizes cover whole and partial tiles, blocks and sums. Rows
  /// with a padding of 2 elements are copied one element at a time, others in chunks of 8.
  public static let halfPrecision =
    [DType.bfloat16, .float16].flatMap { dtype in
      [
        AttentionStepCase([1, 1, 1, 1, 1, 1, 1], factorDtype: dtype),
        AttentionStepCase([1, 2, 1, 64, 64, 32, 32], factorDtype: dtype, padding: 0),
        AttentionStepCase([2, 4, 2, 65, 66, 40, 24], isCausal: true, factorDtype: dtype, padding: 8),
        AttentionStepCase([1, 2, 1, 67, 129, 64, 64], isCausal: true, offset: 62, factorDtype: dtype, padding: 0),
        AttentionStepCase([1, 1, 1, 35, 67, 33, 50], dropoutRate: 0.25, factorDtype: dtype),
      ]
    } + [
      AttentionStepCase([1, 2, 2, 130, 35, 128, 128], isCausal: true, factorDtype: .bfloat16, padding: 0),
      AttentionStepCase([1, 1, 1, 33, 65, 80, 128], dropoutRate: 0.5, factorDtype: .bfloat16, padding: 8),
      AttentionStepCase([1, 1, 1, 66, 35, 128, 16], factorDtype: .bfloat16, padding: 0),
      AttentionStepCase(
        [2, 2, 1, 66, 97, 48, 16], isCausal: true, offset: 20, mask: [true, true, true, true],
        added: [true, false, true, true], dropoutRate: 0.25, factorDtype: .bfloat16, padding: 8),
      AttentionStepCase([1, 2, 1, 70, 5, 8, 8], isCausal: true, offset: -3, factorDtype: .bfloat16, padding: 0),
      AttentionStepCase([2, 1, 1, 4, 80, 16, 16], mask: [true, false, false, true], factorDtype: .bfloat16),
      // Rows that are too long for matrix units.
      AttentionStepCase([1, 2, 1, 18, 19, 130, 6], isCausal: true, dropoutRate: 0.25, factorDtype: .bfloat16),
    ]

  /// Whether the case takes little time on a simulator.
  public var isSmall: Bool { geometry.multiplyAdds(.forward) < 25_000 }

  public var testDescription: String {
    "\(geometry.weights) \(geometry.size) \(isCausal) \(offset ?? 0) \(dropoutRate ?? 0) \(factorDtype)"
  }

  // MARK: - The plan

  private func operand(_ value: Int, _ shape: Shape) -> Operand {
    let row = shape[1] * (shape[3] + padding)
    return Operand(value: value, layout: Layout(shape: shape, strides: [shape[2] * row, shape[3] + padding, row, 1]))
  }

  private func count(_ shape: Shape) -> Int { shape[0] * shape[1] * shape[2] * (shape[3] + padding) }

  /// The extents of a mask in memory.
  private func extents(_ mask: [Bool]?) -> Shape? {
    mask.map { differs in Shape(zip(geometry.weights, differs).map { $1 ? $0 : 1 }) }
  }

  /// A plan of one pass. Inputs: queries, keys, values, the gradient, the forward result, the mask, the offset, the
  /// added mask.
  public func plan(_ pass: Attention.Pass) -> Plan {
    let g = geometry
    var plan = Plan(inputCount: 8)
    for (index, shape) in [g.query, g.key, g.value, g.output].enumerated() {
      plan.values.append(Plan.Value(dtype: factorDtype, elementCount: count(shape), storage: .input(index)))
    }
    plan.values.append(
      Plan.Value(dtype: .float32, elementCount: g.resultCount(.forward), storage: .input(4)))
    plan.values.append(
      Plan.Value(dtype: .bool, elementCount: extents(mask)?.elementCount ?? 1, storage: .input(5)))
    plan.values.append(Plan.Value(dtype: .int64, elementCount: 1, storage: .input(6)))
    plan.values.append(
      Plan.Value(dtype: .float32, elementCount: extents(added)?.elementCount ?? 1, storage: .input(7)))
    plan.scalars = [.int64, .int64]
    let result = g.resultCount(pass)
    plan.values.append(Plan.Value(dtype: .float32, elementCount: result, storage: .output(0)))
    plan.outputs = [Plan.Output(byteCount: 4 * result)]
    func covering(_ mask: [Bool]?, _ value: Int) -> Operand? {
      extents(mask).map { Operand(value: value, layout: Layout(contiguous: $0).broadcast(to: g.weights)) }
    }
    let step = Attention(
      pass: pass, geometry: g, scale: 0.7, isCausal: isCausal, offset: offset == nil ? nil : 6,
      mask: covering(mask, 5), added: covering(added, 7),
      dropout: dropoutRate.map { Attention.Dropout(seed: 1, counter: 0, rate: $0) }, dtype: .float32,
      factorDtype: factorDtype, query: operand(0, g.query),
      key: operand(1, g.key), value: operand(2, g.value), forward: pass == .forward ? nil : 4,
      gradient: pass == .forward ? nil : operand(3, g.output), result: 8)
    plan.steps = [Plan.PlannedStep(step: .attention(step), names: ["attention"])]
    return plan
  }

  func inputs(_ forward: [Float]?) -> [[UInt8]] {
    let g = geometry
    let numbers = [g.query, g.key, g.value, g.output].enumerated().map { place, shape in
      HostArray(Self.numbers(count(shape), place).map(Double.init), factorDtype).bytes
    }
    let forward = forward ?? Array(repeating: 0, count: g.resultCount(.forward))
    // A mask that varies along the queries hides all keys from the second query.
    let maskShape = extents(mask)
    let flags = (0..<(maskShape?.elementCount ?? 1)).map { place -> UInt8 in
      let (keys, queries) = (maskShape?[3] ?? 1, maskShape?[2] ?? 1)
      return place % 3 == 1 || (queries > 1 && place / keys % queries == 1) ? 0 : 1
    }
    let terms = (0..<(extents(added)?.elementCount ?? 1)).map { place in
      place % 5 == 2 ? -Float.infinity : Float(sin(Double(place)))
    }
    return numbers + [Self.bytes(forward), flags, Self.bytes([Int64(offset ?? 0)]), Self.bytes(terms)]
  }

  // MARK: - Runs

  /// Counter and seed of the random words.
  static let scalars: [Scalar] = [.integer(0x1_0000_0003), .integer(-0x1234_5678_9ABC_DEF0)]
  /// With 16-bit factors, devices may round attention weights and the gradients of scores to the type of the factors.
  var tolerance: Float {
    switch factorDtype {
    case .bfloat16: 0x3p-8
    case .float16: 0x3p-11
    default: 4e-6
    }
  }
  public private(set) var passes: [Attention.Pass] = [.forward, .backward]

  /// Describes, for each pass, the first element that differs between `device` and the reference device.
  public func problems(on device: any Device) throws -> [String] { try firstProblems(on: device) }

  /// The bits of the results of both passes.
  public func bits(on device: any Device) throws -> [[UInt32]] { try resultBits(on: device) }

  /// The case with the forward pass only.
  public var forward: AttentionStepCase {
    var item = self
    item.passes = [.forward]
    return item
  }
}
