import ApusDevice

/// The accumulators of a reduction's reducers (`sum`, `max`, `argmin`, …), in registers.
///
/// A floating-point sum is a cascade (see `Kernels/reduce.def`). Its lowest level adds chains of a few terms, and each
/// higher level adds the sums of the level below. The accumulator itself is the register of the lowest level; each
/// higher level has a register of its own.
struct Accumulators {
  private struct Item {
    var reducer: ReductionRow
    var lane: Lane
    var value: String
    /// The register of the value's index, for `argmin` and `argmax`.
    var position: String?

    /// Whether the item is a floating-point sum: the order of its additions affects the last bits, so it has levels.
    var isCascade: Bool { reducer == .sum && lane.dtype.isFloatingPoint }
    /// Returns the register of a level above the lowest one; these levels are numbered from 1.
    func level(_ number: Int) -> String { "\(value)_\(number)" }
  }

  /// The accumulators of the first set, then of the other sets. A set is one vector of results.
  private var items: [Item]
  private let setCount: Int
  /// The number of levels above the lowest one.
  private let levels: Int

  /// The maximum number of terms in a chain, a power of two.
  static let chain = SumCascade.chain
  /// Returns the number of chains after which the sum in the register of `level` is added to the next level.
  private static func chains(of level: Int) -> Int { 1 << (chain.trailingZeroBitCount * level) }

  /// Whether terms are accumulated in chains, each ended by `endChain`.
  var hasChains: Bool { levels > 0 && items.contains { $0.isCascade } }

  /// Creates accumulators for the reducers of `step`; reducer `i` accumulates output `i` of the prologue, the program
  /// that computes the terms.
  /// - Parameters:
  ///   - chains: the maximum number of chains (of at most `chain` terms each) that a register accumulates.
  ///   - sets: the number of result vectors that are accumulated side by side.
  init(_ step: Reduction, chains: Int, sets: Int = 1) {
    // The number of levels is rounded up to 0, 1, 3 or 5, so that shapes with a similar number of terms share kernels.
    levels = chains <= 1 ? 0 : [1, 3].first { chains <= Self.chains(of: $0) } ?? 5
    setCount = sets
    items = (0..<sets).flatMap { set in
      zip(step.reducers, step.prologue.outputs).enumerated().map { index, pair in
        let (isIndex, suffix) = (pair.0.isIndex, set == 0 ? "" : "_set\(set)")
        return Item(
          reducer: pair.0, lane: step.prologue.lane(of: pair.1.register), value: "sum\(index)\(suffix)",
          position: isIndex ? "position\(index)\(suffix)" : nil)
      }
    }
  }

  /// Returns the registers of a set that are inputs of the epilogue; for `argmin` and `argmax`, the registers of the
  /// indices.
  func cores(ofSet set: Int = 0) -> [String] { items(ofSet: set).map { $0.position ?? $0.value } }

  /// Returns all registers of a set with their arithmetic types, in a fixed order.
  func registers(ofSet set: Int = 0) -> [(name: String, lane: Lane)] {
    items(ofSet: set).flatMap { item in
      [(name: item.value, lane: item.lane)] + (item.position.map { [(name: $0, lane: Lane.int64)] } ?? [])
    }
  }

  private func items(ofSet set: Int) -> ArraySlice<Item> {
    let count = items.count / setCount
    return items[set * count..<(set + 1) * count]
  }

  /// Declares the registers and initializes them with the identities.
  func declare(_ builder: inout KernelBuilder) {
    for item in items {
      // An `argmin` or `argmax` starts with the identity of `min` or `max` and an index greater than all others, so
      // that the first element always replaces both.
      let identity =
        switch item.reducer {
        case .argmin: ReductionRow.min
        case .argmax: ReductionRow.max
        default: item.reducer
        }
      builder.line("\(item.lane.vector) \(item.value) = identity_\(identity)_\(item.lane.suffix)();")
      if let position = item.position { builder.line("VL \(position) = CONSTANT_i64(0x7fffffffffffffff);") }
      guard hasChains, item.isCascade else { continue }
      for level in 1...levels {
        builder.line("\(item.lane.vector) \(item.level(level)) = identity_\(identity)_\(item.lane.suffix)();")
      }
    }
    if hasChains { builder.line("int chains = 0;") }
  }

  /// Ends a chain: its sum becomes a term of the next level.
  func endChain(_ builder: inout KernelBuilder) {
    guard hasChains else { return }
    builder.line("chains += 1;")
    carry(to: 1, &builder)
  }

  private func carry(to level: Int, _ builder: inout KernelBuilder) {
    for item in items where item.isCascade {
      let (lane, lower) = (item.lane.suffix, level == 1 ? item.value : item.level(level - 1))
      let upper = item.level(level)
      builder.line("\(upper) = reduce_\(item.reducer)_\(lane)(\(upper), \(lower));")
      builder.line("\(lower) = identity_\(item.reducer)_\(lane)();")
    }
    guard level < levels else { return }
    builder.block("if ((chains & \(Self.chains(of: level) - 1)) == 0)") { carry(to: level + 1, &$0) }
  }

  /// Adds the sums of the higher levels to the lowest level. Called before the elements of a register are combined, and
  /// before partial results are combined.
  func combineLevels(_ builder: inout KernelBuilder) {
    guard hasChains else { return }
    for item in items where item.isCascade {
      for level in 1...levels {
        builder.line(
          "\(item.value) = reduce_\(item.reducer)_\(item.lane.suffix)(\(item.level(level)), \(item.value));")
      }
    }
  }

  /// Accumulates `registers`, one for each accumulator of each set. Each element of a register is combined with the
  /// same element of the accumulator.
  /// - Parameters:
  ///   - positions: an expression for the indices of the elements, a register of `int64` (`VL`).
  ///   - count: the number of valid elements in a register; `nil` if the elements of a register are never combined, so
  ///     that the elements after the valid ones need no mask.
  func add(
    _ registers: [String], positions: String, count: String? = nil, _ builder: inout KernelBuilder
  ) {
    for (item, register) in zip(items, registers) {
      let suffix = item.lane.suffix
      guard let position = item.position else {
        var element = register
        if let count, builder.target.width > 1 {
          element = builder.unique("e")
          builder.line("\(item.lane.vector) \(element) = \(register);")
          builder.line(
            "if (\(count) < WIDTH) \(element) = CHOOSE_\(suffix)(LANE_MASK(\(count)), \(register), "
              + "identity_\(item.reducer)_\(suffix)());")
        }
        builder.line("\(item.value) = reduce_\(item.reducer)_\(suffix)(\(item.value), \(element));")
        continue
      }
      let take = builder.unique("take")
      let mask = count.map { " & LANE_MASK(\($0))" } ?? ""
      builder.line(
        "const VI \(take) = (better_\(item.reducer)_\(suffix)(\(register), \(item.value)) | "
          + "(same_\(item.reducer)_\(suffix)(\(register), \(item.value)) & "
          + "TRUTH64(\(positions) < \(position))))\(builder.target.width > 1 ? mask : "");")
      builder.line("\(item.value) = CHOOSE_\(suffix)(\(take), \(register), \(item.value));")
      builder.line("\(position) = CHOOSE_i64(\(take), \(positions), \(position));")
    }
  }

  /// Merges the registers with other partial values of the same results; `other` maps the name of a register to the
  /// name of the value that is merged into it.
  func merge(_ other: (String) -> String, _ builder: inout KernelBuilder) {
    for item in items {
      add(one: item, value: other(item.value), position: item.position.map(other), &builder)
    }
  }

  private func add(one item: Item, value: String, position: String?, _ builder: inout KernelBuilder) {
    var single = self
    single.items = [item]
    single.add([value], positions: position ?? "", &builder)
  }

  /// Combines the elements of each register in a tree; the first element becomes the result.
  func fold(_ builder: inout KernelBuilder) {
    guard builder.target.width > 1 else { return }
    precondition(builder.target.width == 16, "fold needs 16 lanes")
    for span in [8, 4, 2, 1] {
      builder.block("") { builder in
        for register in registers() {
          builder.line("const \(register.lane.vector) other_\(register.name) = LOWERED_\(span)(\(register.name));")
        }
        merge({ "other_\($0)" }, &builder)
      }
    }
  }
}
