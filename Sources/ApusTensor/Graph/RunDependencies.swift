import ApusDevice
import ApusSystem

/// For each output of a plan, the inputs and outputs that it depends on through differentiable operations. An output
/// also depends on itself.
struct DependencyTable {
  let inputCount: Int
  private let outputCount: Int
  /// The number of words in a row of the table. A row has a bit for each input, then a bit for each output.
  private let width: Int
  private var bits: [UInt64] = []
  /// 64 MiB of words. If the rows of all nodes of the graph would need more, each output counts as depending on all
  /// inputs and outputs.
  private static let wordLimit = 1 << 23

  /// - Parameters:
  ///   - nodes: inputs before their users; `position` of each node is its index here.
  ///   - inputs: the nodes of `nodes` that have a value, in the same order.
  ///   - outputs: the nodes of `nodes` whose values the run stores, in the same order.
  init(_ nodes: [Unmanaged<Node>], inputs: [Unmanaged<Node>], outputs: [Unmanaged<Node>]) {
    (inputCount, outputCount) = (inputs.count, outputs.count)
    width = ceilDivide(inputs.count + outputs.count, 64)
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

  /// What `output` depends on: the indices of inputs, and `inputCount` plus the indices of outputs.
  func dependencies(of output: Int) -> [Int] {
    (0..<inputCount + outputCount).filter {
      bits.isEmpty || bits[output * width + $0 / 64] >> UInt64($0 % 64) & 1 == 1
    }
  }
}

/// The dependencies between the values of one run. They remain known after the values have released their graph.
///
/// Every evaluation creates a record, so a record and its values share one allocation.
final class RunDependencies: ManagedBuffer<RunDependenciesHeader, RunDependenciesValue> {
  /// An output of a run.
  struct Output {
    let record: RunDependencies
    let number: Int32
  }

  /// The maximum length of a chain of remembered runs, each of which computed an input of the next.
  private static let depthLimit = 64
  private var depth: Int { withUnsafeMutablePointerToHeader { $0.pointee.depth } }

  /// A record with room for the inputs and outputs of a run. The caller appends the inputs first, then the outputs.
  static func empty(_ table: DependencyTable, capacity: Int) -> RunDependencies {
    let record = create(minimumCapacity: capacity) { _ in RunDependenciesHeader(table: table) }
    return unsafeDowncast(record, to: RunDependencies.self)
  }

  deinit { _ = withUnsafeMutablePointers { $1.deinitialize(count: $0.pointee.count) } }

  /// - Parameter origin: for an input, the output of an earlier run that computed it (`Node.origin`). Pass `nil` for an
  ///   output. Pass `nil` also for an input whose buffer the run may overwrite, such as a parameter before an update:
  ///   its origin would keep the records of up to `depthLimit` earlier runs in memory.
  func append(_ serial: UInt64, origin: Output?) {
    let depth = origin?.record.depth ?? 0
    let kept = depth < RunDependencies.depthLimit ? origin : nil
    withUnsafeMutablePointers { header, values in
      (values + header.pointee.count).initialize(to: RunDependenciesValue(serial: serial, origin: kept))
      header.pointee.count += 1
      if kept != nil { header.pointee.depth = max(header.pointee.depth, depth + 1) }
    }
  }

  /// Whether an output depends on a node with one of the given serials.
  func output(_ number: Int32, dependsOn nodes: Set<UInt64>) -> Bool {
    struct Key: Hashable {
      var record: ObjectIdentifier
      var number: Int32
    }
    var seen: Set<Key> = []
    var stack = [Output(record: self, number: number)]
    while let next = stack.popLast() {
      let record = next.record
      guard seen.insert(Key(record: ObjectIdentifier(record), number: next.number)).inserted else { continue }
      let isFound = record.withUnsafeMutablePointers { header, values in
        header.pointee.table.dependencies(of: Int(next.number)).contains { number in
          if let origin = values[number].origin { stack.append(origin) }
          return nodes.contains(values[number].serial)
        }
      }
      if isFound { return true }
    }
    return false
  }
}

struct RunDependenciesHeader {
  let table: DependencyTable
  /// The number of appended values.
  var count = 0
  /// The length of the longest chain of remembered runs that ends with this run.
  var depth = 1
}

/// An input or an output of a run.
struct RunDependenciesValue {
  let serial: UInt64
  let origin: RunDependencies.Output?
}
