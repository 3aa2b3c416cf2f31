import ApusDevice

/// Which inputs, and which other outputs on the way, each output of a plan depends on in a way that gradients follow.
struct DependencyTable {
  let inputCount: Int
  private let outputCount: Int
  /// Words of a row: a bit for each input, then for each output.
  private let width: Int
  private var bits: [UInt64] = []
  /// A graph of more words than this is not looked through: each output counts as depending on everything.
  private static let wordLimit = 1 << 23

  /// - Parameters:
  ///   - nodes: inputs before their users, which know each other's `position` here.
  ///   - inputs: those of the nodes that have a value, and `outputs` those that get one, in this order.
  init(_ nodes: [Unmanaged<Node>], inputs: [Unmanaged<Node>], outputs: [Unmanaged<Node>]) {
    (inputCount, outputCount) = (inputs.count, outputs.count)
    width = (inputs.count + outputs.count + 63) / 64
    guard width * nodes.count <= DependencyTable.wordLimit else { return }
    var rows = [UInt64](repeating: 0, count: width * nodes.count)
    var (rest, results) = (inputs[...], outputs[...])
    for (position, node) in nodes.enumerated() {
      let start = position * width
      if rest.first?.toOpaque() == node.toOpaque() {
        let bit = inputCount - rest.count
        rows[start + bit / 64] |= 1 << UInt64(bit % 64)
        rest.removeFirst()
        continue
      }
      node._withUnsafeGuaranteedRef { node in
        guard node.isDifferentiable else { return }
        for index in 0..<node.inputCount {
          let source = Int(node.edge(index)._withUnsafeGuaranteedRef(\.position)) * width
          for word in 0..<width { rows[start + word] |= rows[source + word] }
        }
      }
      guard results.first?.toOpaque() == node.toOpaque() else { continue }
      let bit = inputCount + outputCount - results.count
      rows[start + bit / 64] |= 1 << UInt64(bit % 64)
      bits += rows[start..<start + width]
      results.removeFirst()
    }
  }

  /// The numbers of the inputs that an output depends on, and the others behind `inputCount`.
  func dependencies(of output: Int) -> [Int] {
    (0..<inputCount + outputCount).filter {
      bits.isEmpty || bits[output * width + $0 / 64] >> UInt64($0 % 64) & 1 == 1
    }
  }
}

extension Node {
  /// Whether gradients flow to the inputs.
  var isDifferentiable: Bool {
    switch op.gradient {
    case .notDifferentiable: false
    case .rule, .part, .slice: dtype.isFloatingPoint
    }
  }
}

/// What a run computed from what: when a value has let go of its graph, it is still known what it depended on.
final class RunRecord: Sendable {
  /// An output of a run.
  struct Output: Sendable {
    let record: RunRecord
    let number: Int32
  }

  private let table: DependencyTable
  private let inputs: [UInt64]
  /// Where inputs came from that live on. Those that end with the run, such as parameters before an update, would keep
  /// all that ever happened.
  private let origins: [Output?]
  private let outputs: [UInt64]
  private let depth: Int
  /// Runs that are remembered one behind the other.
  private static let depthLimit = 64

  init(_ table: DependencyTable, inputs: [UInt64], origins: [Output?], outputs: [UInt64]) {
    self.table = table
    self.inputs = inputs
    self.outputs = outputs
    let depth = origins.reduce(0) { max($0, $1?.record.depth ?? 0) }
    self.origins = depth < RunRecord.depthLimit ? origins : []
    self.depth = depth < RunRecord.depthLimit ? depth + 1 : 0
  }

  /// Whether an output was computed from one of some nodes.
  func output(_ number: Int32, dependsOn nodes: Set<UInt64>) -> Bool {
    struct Place: Hashable {
      var record: ObjectIdentifier
      var number: Int32
    }
    var seen: Set<Place> = []
    var stack = [Output(record: self, number: number)]
    while let next = stack.popLast() {
      let record = next.record
      guard seen.insert(Place(record: ObjectIdentifier(record), number: next.number)).inserted else { continue }
      for number in record.table.dependencies(of: Int(next.number)) {
        guard number < record.inputs.count else {
          if nodes.contains(record.outputs[number - record.inputs.count]) { return true }
          continue
        }
        if nodes.contains(record.inputs[number]) { return true }
        if number < record.origins.count, let origin = record.origins[number] { stack.append(origin) }
      }
    }
    return false
  }
}
