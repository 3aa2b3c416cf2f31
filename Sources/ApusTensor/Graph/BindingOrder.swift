import ApusDevice

/// What a run of a plan reads and writes, in the order of the evaluated graph.
struct Bindings {
  var inputs: [Buffer] = []
  var inputNodes: [Unmanaged<Node>] = []
  /// For each input, whether the run may overwrite it.
  var donatable: [Bool] = []
  var outputNodes: [Unmanaged<Node>] = []
  var scalars: [Scalar] = []
  /// The nodes of the scalars; `nil` for numbers that have no node.
  var scalarNodes: [Unmanaged<Node>?] = []

  mutating func removeAll() {
    inputs.removeAll(keepingCapacity: true)
    inputNodes.removeAll(keepingCapacity: true)
    donatable.removeAll(keepingCapacity: true)
    outputNodes.removeAll(keepingCapacity: true)
    scalars.removeAll(keepingCapacity: true)
    scalarNodes.removeAll(keepingCapacity: true)
  }
}

/// Relates the bindings of a graph with deferred parts to the bindings of the expanded graph, for which a plan exists.
struct BindingOrder {
  private enum Number {
    case binding(Int)
    /// A number that the expansion added. It depends on the structure of the graph only.
    case fixed(Scalar)
  }

  /// For each input of the plan, its index in the bindings before the expansion; `outputs` and `scalars` likewise.
  private let inputs: [Int]
  private let outputs: [Int]
  private let scalars: [Number]

  /// - Parameters:
  ///   - deferred: the bindings before the expansion.
  ///   - expanded: the bindings of the expanded graph.
  ///   - serial: the serial of the last node that was created before the expansion.
  /// - Returns: `nil` if the bindings do not correspond: an input, or a number older than the expansion, is bound only
  ///   in the expanded graph; the outputs differ; or a run may overwrite an input of only one of the graphs.
  init?(_ deferred: Bindings, _ expanded: Bindings, since serial: UInt64) {
    func indices(_ nodes: [Unmanaged<Node>?]) -> [UnsafeMutableRawPointer: Int] {
      var result: [UnsafeMutableRawPointer: Int] = [:]
      for (index, node) in nodes.enumerated() { if let node { result[node.toOpaque()] = index } }
      return result
    }
    let known = (
      inputs: indices(deferred.inputNodes), outputs: indices(deferred.outputNodes),
      scalars: indices(deferred.scalarNodes)
    )
    let inputs = expanded.inputNodes.compactMap { known.inputs[$0.toOpaque()] }
    let outputs = expanded.outputNodes.compactMap { known.outputs[$0.toOpaque()] }
    guard inputs.count == expanded.inputNodes.count, outputs.count == expanded.outputNodes.count,
      outputs.count == deferred.outputNodes.count,
      zip(inputs, expanded.donatable).allSatisfy({ deferred.donatable[$0] == $1 })
    else { return nil }
    var scalars: [Number] = []
    for (node, value) in zip(expanded.scalarNodes, expanded.scalars) {
      if let node, let index = known.scalars[node.toOpaque()] {
        scalars.append(.binding(index))
      } else if node?._withUnsafeGuaranteedRef(\.serial) ?? .max > serial {
        scalars.append(.fixed(value))
      } else {
        return nil
      }
    }
    (self.inputs, self.outputs, self.scalars) = (inputs, outputs, scalars)
  }

  /// Fills `target` with bindings in the order of the plan.
  func arrange(_ source: Bindings, into target: inout Bindings) {
    target.removeAll()
    for index in inputs {
      target.inputs.append(source.inputs[index])
      target.inputNodes.append(source.inputNodes[index])
      target.donatable.append(source.donatable[index])
    }
    for index in outputs { target.outputNodes.append(source.outputNodes[index]) }
    for number in scalars {
      switch number {
      case .binding(let index):
        target.scalars.append(source.scalars[index])
        target.scalarNodes.append(source.scalarNodes[index])
      case .fixed(let value):
        target.scalars.append(value)
        target.scalarNodes.append(nil)
      }
    }
  }
}

/// A graph whose deferred parts must be expanded because there is no plan for it.
struct UnexpandedGraph {
  let key: PlanKey
  let bindings: Bindings
  /// The serial of the last node that was created before the expansion.
  let lastSerial: UInt64
  /// Keeps the nodes of `bindings` alive: `bindings` refers to them without owning them.
  private let nodes: [Node]

  init(_ key: PlanKey, _ bindings: Bindings) {
    (self.key, self.bindings, lastSerial) = (key, bindings, Node.lastSerial)
    nodes = (bindings.inputNodes + bindings.outputNodes + bindings.scalarNodes).compactMap { $0?.takeUnretainedValue() }
  }
}
