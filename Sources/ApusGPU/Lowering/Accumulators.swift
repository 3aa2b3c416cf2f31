import ApusDevice

/// The running results of a reduction's reducers, in registers.
///
/// Sums are cascades of chains (see `Kernels/reduce.def`): a register holds the chain of each level above the lowest one.
struct Accumulators {
  private struct Item {
    var reducer: ReductionRow
    var lane: Lane
    var value: String
    /// The place of the value, for `argmin` and `argmax`.
    var place: String?

    /// Whether the order matters to the last bits.
    var isCascade: Bool { reducer == .sum && lane.dtype.isFloatingPoint }
    /// The register of a level, from 1 on.
    func level(_ number: Int) -> String { "\(value)_\(number)" }
  }

  /// Those of the first set of results, then of the others.
  private var items: [Item]
  private let setCount: Int
  /// Levels above the lowest one.
  private let levels: Int

  /// The most terms of a chain, a power of two.
  static let chain = SumCascade.chain
  /// How many chains of the lowest level a term of `level` stands for.
  private static func chains(of level: Int) -> Int { 1 << (chain.trailingZeroBitCount * level) }

  /// Whether terms are taken in chains that `endChain` ends.
  var hasChains: Bool { levels > 0 && items.contains { $0.isCascade } }

  /// The reducers of `step`, over the outputs of its prologue.
  /// - Parameters:
  ///   - chains: how many chains of at most `chain` terms a register takes, at most.
  ///   - sets: how many vectors of results are accumulated side by side.
  init(_ step: Reduction, chains: Int, sets: Int = 1) {
    // Kernels are shared by shapes with about as many terms.
    levels = chains <= 1 ? 0 : [1, 3].first { chains <= Self.chains(of: $0) } ?? 5
    setCount = sets
    items = (0..<sets).flatMap { set in
      zip(step.reducers, step.prologue.outputs).enumerated().map { index, pair in
        let (isPlace, suffix) = (pair.0.isIndex, set == 0 ? "" : "_set\(set)")
        return Item(
          reducer: pair.0, lane: step.prologue.lane(of: pair.1.register), value: "sum\(index)\(suffix)",
          place: isPlace ? "place\(index)\(suffix)" : nil)
      }
    }
  }

  /// The registers of a set that an epilogue takes as core results.
  func cores(ofSet set: Int = 0) -> [String] { items(ofSet: set).map { $0.place ?? $0.value } }

  /// All registers of a set with their lanes, in a fixed order.
  func registers(ofSet set: Int = 0) -> [(name: String, lane: Lane)] {
    items(ofSet: set).flatMap { item in
      [(name: item.value, lane: item.lane)] + (item.place.map { [(name: $0, lane: Lane.int64)] } ?? [])
    }
  }

  private func items(ofSet set: Int) -> ArraySlice<Item> {
    let count = items.count / setCount
    return items[set * count..<(set + 1) * count]
  }

  /// Declares the registers with the identities.
  func declare(_ builder: inout KernelBuilder) {
    for item in items {
      // A place starts behind all others, with the value that any element is at least as good as.
      let identity =
        switch item.reducer {
        case .argmin: ReductionRow.min
        case .argmax: ReductionRow.max
        default: item.reducer
        }
      builder.line("\(item.lane.vector) \(item.value) = identity_\(identity)_\(item.lane.suffix)();")
      if let place = item.place { builder.line("VL \(place) = CONSTANT_i64(0x7fffffffffffffff);") }
      guard hasChains, item.isCascade else { continue }
      for level in 1...levels {
        builder.line("\(item.lane.vector) \(item.level(level)) = identity_\(identity)_\(item.lane.suffix)();")
      }
    }
    if hasChains { builder.line("int chains = 0;") }
  }

  /// Ends a chain: what was taken since the last one is a term of the next level.
  func endChain(_ builder: inout KernelBuilder) {
    guard hasChains else { return }
    builder.line("chains += 1;")
    climb(to: 1, &builder)
  }

  private func climb(to level: Int, _ builder: inout KernelBuilder) {
    for item in items where item.isCascade {
      let (lane, lower) = (item.lane.suffix, level == 1 ? item.value : item.level(level - 1))
      let upper = item.level(level)
      builder.line("\(upper) = reduce_\(item.reducer)_\(lane)(\(upper), \(lower));")
      builder.line("\(lower) = identity_\(item.reducer)_\(lane)();")
    }
    guard level < levels else { return }
    builder.block("if ((chains & \(Self.chains(of: level) - 1)) == 0)") { climb(to: level + 1, &$0) }
  }

  /// Combines the levels, ahead of lanes, parts and results.
  func settle(_ builder: inout KernelBuilder) {
    guard hasChains else { return }
    for item in items where item.isCascade {
      for level in 1...levels {
        builder.line(
          "\(item.value) = reduce_\(item.reducer)_\(item.lane.suffix)(\(item.level(level)), \(item.value));")
      }
    }
  }

  /// Takes registers in, those of all sets: one element a lane, the first one at number `place`.
  /// - Parameters:
  ///   - places: an expression for the places, as VL.
  ///   - count: how many lanes hold elements; `nil` where all lanes are accumulated apart.
  func add(
    _ registers: [String], places: String, count: String? = nil, _ builder: inout KernelBuilder
  ) {
    for (item, register) in zip(items, registers) {
      let suffix = item.lane.suffix
      guard let place = item.place else {
        var element = register
        if let count, builder.target.width > 1 {
          element = builder.unique("e")
          builder.line("\(item.lane.vector) \(element) = \(register);")
          builder.line(
            "if (\(count) < WIDTH) \(element) = CHOOSE_\(suffix)(HELD(\(count)), \(register), "
              + "identity_\(item.reducer)_\(suffix)());")
        }
        builder.line("\(item.value) = reduce_\(item.reducer)_\(suffix)(\(item.value), \(element));")
        continue
      }
      let take = builder.unique("take")
      let held = count.map { " & HELD(\($0))" } ?? ""
      builder.line(
        "const VI \(take) = (better_\(item.reducer)_\(suffix)(\(register), \(item.value)) | "
          + "(same_\(item.reducer)_\(suffix)(\(register), \(item.value)) & "
          + "TRUTH64(\(places) < \(place))))\(builder.target.width > 1 ? held : "");")
      builder.line("\(item.value) = CHOOSE_\(suffix)(\(take), \(register), \(item.value));")
      builder.line("\(place) = CHOOSE_i64(\(take), \(places), \(place));")
    }
  }

  /// Takes in other partial values of the same results, whose names `other` gives.
  func merge(_ other: (String) -> String, _ builder: inout KernelBuilder) {
    for item in items {
      add(one: item, value: other(item.value), place: item.place.map(other), &builder)
    }
  }

  private func add(one item: Item, value: String, place: String?, _ builder: inout KernelBuilder) {
    var single = self
    single.items = [item]
    single.add([value], places: place ?? "", &builder)
  }

  /// Combines the lanes of each register in a tree; the result is in the first lane.
  func fold(_ builder: inout KernelBuilder) {
    guard builder.target.width > 1 else { return }
    precondition(builder.target.width == 16, "LOWERED_8 to LOWERED_1 are for 16 lanes")
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
