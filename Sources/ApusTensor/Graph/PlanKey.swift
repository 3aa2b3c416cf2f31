import ApusDevice

/// The identity of a graph as a list of 64-bit words: its structure, attributes, shapes and element types, which values
/// a run of the plan stores, and which inputs the run may overwrite. The values of scalars that change from run to run
/// are not part of the identity.
struct PlanKey: Hashable, Sendable {
  private(set) var words: [UInt64] = []
  private var digest: UInt64 = 0

  mutating func begin() {
    words.removeAll(keepingCapacity: true)
    regions.removeAll(keepingCapacity: true)
  }

  /// The gradient checkpointing regions of the nodes, in order of appearance. The key contains positions in this list,
  /// because the numbers of regions differ between training steps.
  private var regions: [UInt32] = []

  mutating func append(_ node: Node, isOutput: Bool, isInput: Bool) {
    let inputCount = isInput ? 0 : node.inputCount
    var head = UInt64(isInput ? 0 : node.opReference._withUnsafeGuaranteedRef(\.id))
    head |= UInt64(node.dtype.rawValue) << 16
    head |= UInt64(node.shape.rank) << 24
    head |= (isOutput ? 1 : 0) << 28
    if node.region != 0 { head |= UInt64(ordinal(of: node.region)) << 32 }
    words.append(head)
    for axis in 0..<node.shape.rank { words.append(UInt64(truncatingIfNeeded: node.shape[axis])) }
    guard !isInput else { return }
    words.append(UInt64(truncatingIfNeeded: inputCount))
    for index in 0..<inputCount {
      words.append(UInt64(truncatingIfNeeded: node.edge(index)._withUnsafeGuaranteedRef(\.position)))
    }
    if !node.isNumber { node.attributes.append(to: &words) }
  }

  /// Appends a number that is part of the identity.
  mutating func append(_ word: UInt64) { words.append(word) }

  private mutating func ordinal(of region: UInt32) -> Int {
    if let index = regions.lastIndex(of: region) { return index + 1 }
    regions.append(region)
    return regions.count
  }

  /// Computes the hash once, when all words are written.
  mutating func finish() {
    var hash: UInt64 = 0x9E37_79B9_7F4A_7C15
    for word in words {
      hash = (hash ^ word) &* 0xFF51_AFD7_ED55_8CCD
      hash ^= hash >> 32
    }
    digest = hash
  }

  static func == (left: PlanKey, right: PlanKey) -> Bool {
    left.digest == right.digest && left.words == right.words
  }

  func hash(into hasher: inout Hasher) { hasher.combine(digest) }
}

extension Attributes {
  /// Appends words that encode the attributes. If two nodes have the same operation and result type, attributes that
  /// give different plans have different words.
  func append(to words: inout [UInt64]) {
    switch self {
    // The operations of a deferred graph follow from those that compute its inputs, which the key contains.
    case .none, .deferred: break
    case .integers(let values):
      words.append(UInt64(values.count))
      for value in values { words.append(UInt64(bitPattern: Int64(value))) }
    case .shape(let box):
      // The shape equals that of the result, whose extents the key already contains, so the rank is enough.
      words.append(UInt64(box.shape.rank))
    case .number(.float(let value)): words.append(value.bitPattern)
    case .number(.integer(let value)): words.append(UInt64(bitPattern: value))
    case .convolution(let box): box.append(to: &words)
    case .pooling(let box): box.append(to: &words)
    // A plan does not depend on the gradient rule, and each training step creates a new rule.
    case .customGradient, .customGradientResults: break
    case .loop(let loop): words += loop.body.words
    case .custom(let call): words += call.words
    }
  }
}
