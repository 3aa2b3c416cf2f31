import ApusDevice
import Synchronization

/// A node of the lazy graph: an operation on other nodes, or a materialized value.
///
/// `shape` and `dtype` never change, and neither do `op` and `attributes`, except for results of deferred graphs (see
/// `expand(to:isShared:)`). Edges, buffer and scratch fields are read and written only under the lock of the node's
/// device (`ComputeDevice.withEvaluator`), or while only one thread has access to the node.
///
/// No two accesses to the same variable field overlap, so Swift's exclusivity checks at run time are turned off
/// (`@exclusivity(unchecked)`): they took a fifth of the host's time of a training step.
final class Node: @unchecked Sendable {
  // Operations and devices are never deallocated, so references to them are not counted.
  @exclusivity(unchecked) private(set) var opReference: Unmanaged<Op>
  let deviceReference: Unmanaged<ComputeDevice>
  private let packedShape: PackedShape
  let dtype: DType
  @exclusivity(unchecked) private(set) var attributes: Attributes
  /// Whether the node is a scalar whose value may differ from run to run.
  let isNumber: Bool
  /// Whether the node has several results instead of a value.
  let hasSeveralResults: Bool
  /// The node's checkpoint region (`CheckpointRegion`), 0 outside of all regions. Nodes of different regions are never
  /// merged.
  let region: UInt32
  /// The order of creation, or of the last replacement of the value: when a node is created, its inputs have smaller
  /// serials.
  @exclusivity(unchecked) private(set) var serial: UInt64

  private static let count = Atomic<UInt64>(0)
  /// The serial of the newest node.
  static var lastSerial: UInt64 { count.load(ordering: .relaxed) }

  // Owned inputs. They are retained and released manually, so that traversals do not count references.
  @exclusivity(unchecked) private var first: Unmanaged<Node>?
  @exclusivity(unchecked) private var second: Unmanaged<Node>?
  @exclusivity(unchecked) private var third: Unmanaged<Node>?
  @exclusivity(unchecked) private var others: [Unmanaged<Node>]

  /// The value, if it is materialized.
  @exclusivity(unchecked) var buffer: Buffer?
  /// Whether an evaluation has reused the memory of the value.
  @exclusivity(unchecked) var isConsumed = false
  /// The run that computed the value, and the index of the output in that run; `nil` for uploaded values.
  @exclusivity(unchecked) var origin: RunDependencies.Output?
  /// Rare properties. They are on the heap because few nodes have any.
  @exclusivity(unchecked) private var notes: NodeNotes?
  /// Why there is no value, for example a failed upload; reported when the value is used.
  var failure: DeviceError? {
    get { notes?.failure }
    set {
      guard newValue != nil || notes != nil else { return }
      notes = NodeNotes(failure: newValue, numbers: notes?.numbers)
      hasFailed = newValue != nil
    }
  }
  /// Whether computing or uploading the value failed. It is stored here, not in `notes`, because traversals read it for
  /// every node.
  @exclusivity(unchecked) private(set) var hasFailed = false
  /// A range that contains all integers of the value, if the host knows one.
  var numbers: ClosedRange<Int>? {
    get { notes?.numbers }
    set {
      guard newValue != nil || notes != nil else { return }
      notes = NodeNotes(failure: notes?.failure, numbers: newValue)
    }
  }

  /// The number of tensors that refer to the node.
  let handleCount = Atomic<Int32>(0)
  /// The number of edges from other nodes to this one.
  let consumerCount = Atomic<Int32>(0)

  // Scratch fields of one traversal.
  @exclusivity(unchecked) var mark: UInt32 = 0
  @exclusivity(unchecked) var position: Int32 = 0
  /// The number of edges to this node from nodes of the evaluation that do not stay pending.
  @exclusivity(unchecked) var edges: Int32 = 0
  /// Whether this value was requested. A requested value is always stored.
  @exclusivity(unchecked) var isRoot = false
  /// Whether the node stays without a value although a tensor refers to it; see `isRearrangement`.
  @exclusivity(unchecked) var staysPending = false

  init(
    op: Op, inputs: consuming OpInputs, attributes: consuming Attributes, type: TensorType,
    device: Unmanaged<ComputeDevice>
  ) {
    opReference = .passUnretained(op)
    deviceReference = device
    isNumber = op === Op.scalar
    hasSeveralResults = op.hasSeveralResults
    packedShape = PackedShape(type.shape)
    dtype = type.dtype
    self.attributes = attributes
    region = CheckpointRegion.current
    serial = Node.count.add(1, ordering: .relaxed).newValue
    first = inputs.first.take().map(Node.connect)
    second = inputs.second.take().map(Node.connect)
    third = inputs.third.take().map(Node.connect)
    others = inputs.others.isEmpty ? [] : inputs.others.map(Node.connect)
    AnomalyScope.note(serial)
  }

  @inline(__always) private static func connect(_ node: consuming Node) -> Unmanaged<Node> {
    node.consumerCount.add(1, ordering: .relaxed)
    return .passRetained(node)
  }

  /// Creates a node with a value in memory or, if `buffer` is `nil`, with the reason why there is no value.
  init(buffer: Buffer?, failure: DeviceError? = nil, type: TensorType, device: ComputeDevice) {
    opReference = .passUnretained(.leaf)
    deviceReference = .passUnretained(device)
    isNumber = false
    hasSeveralResults = false
    packedShape = PackedShape(type.shape)
    dtype = type.dtype
    attributes = .none
    region = 0
    serial = Node.count.add(1, ordering: .relaxed).newValue
    others = []
    self.buffer = buffer
    AnomalyScope.note(serial)
    self.failure = failure
  }

  @inline(__always) var shape: Shape { packedShape.shape }

  var inputCount: Int {
    if first == nil { return 0 }
    if second == nil { return 1 }
    if third == nil { return 2 }
    return 3 + others.count
  }

  /// Input `index`, without counting a reference.
  @inline(__always) func edge(_ index: Int) -> Unmanaged<Node> {
    switch index {
    case 0: first.unsafelyUnwrapped
    case 1: second.unsafelyUnwrapped
    case 2: third.unsafelyUnwrapped
    default: others[index - 3]
    }
  }

  func input(_ index: Int) -> Node { edge(index).takeUnretainedValue() }

  var op: Op { opReference.takeUnretainedValue() }
  var device: ComputeDevice { deviceReference.takeUnretainedValue() }

  /// Whether the node has a value, or failed to get one. Evaluations treat such a node as an input.
  @inline(__always) var isMaterialized: Bool { buffer != nil || hasFailed }

  var hasEdges: Bool { first != nil }

  /// The first input, without counting a reference.
  var firstEdge: Unmanaged<Node>? { first }

  /// Whether the node was made by `Tensor.stopGradient()`. The inputs of custom gradient rules are also `stopGradient`
  /// nodes, but have attributes.
  @inline(__always) var isDetaching: Bool {
    guard UInt(bitPattern: opReference.toOpaque()) == Node.detaching else { return false }
    if case .none = attributes { return true }
    return false
  }
  private static let detaching = UInt(bitPattern: Unmanaged.passUnretained(Op.stopGradient).toOpaque())

  /// Whether the node is a view of all elements of a materialized value. The users of the view can read that value
  /// directly, so the view is copied to memory only if it is requested itself.
  var isRearrangement: Bool {
    guard op.isView, let first else { return false }
    return first._withUnsafeGuaranteedRef { $0.buffer != nil && $0.shape.elementCount == shape.elementCount }
  }

  /// Replaces the value of a materialized node, and gives the node a new serial. Only one tensor may refer to the node.
  func replaceValue(with buffer: Buffer) {
    self.buffer = buffer
    serial = Node.count.add(1, ordering: .relaxed).newValue
    numbers = nil
  }

  /// Releases the inputs. Nodes that only the inputs keep alive are released without recursion, because recursive
  /// release of a chain of a million pending nodes would overflow the stack.
  func cutEdges() {
    guard let first else { return }
    let (second, third, others) = (second, third, others)
    self.first = nil
    self.second = nil
    self.third = nil
    if !others.isEmpty { self.others = [] }
    // In a training step, each input has other references or no edges, so the `pending` list of each call below stays
    // empty.
    Node.disconnect(first)
    if let second { Node.disconnect(second) }
    if let third { Node.disconnect(third) }
    for other in others { Node.disconnect(other) }
  }

  private static func disconnect(_ edge: Unmanaged<Node>) {
    var pending: [Unmanaged<Node>] = []
    disconnect(edge, &pending)
    while let next = pending.popLast() { disconnect(next, &pending) }
  }

  /// Releases one edge to a node. If this was the last reference to the node, its edges are moved to `pending`.
  private static func disconnect(_ edge: Unmanaged<Node>, _ pending: inout [Unmanaged<Node>]) {
    edge._withUnsafeGuaranteedRef { _ = $0.consumerCount.subtract(1, ordering: .relaxed) }
    // The edges of a node with other references are not read: an evaluation may be cutting them.
    var node = edge.takeRetainedValue()
    if isKnownUniquelyReferenced(&node) { node.moveInputs(to: &pending) }
  }

  /// Turns this node, a result of a deferred graph, into the operation of `source`, and takes over the inputs of
  /// `source`. If something else refers to `source`, or if `source` cannot be moved (it has a value, several results or
  /// no inputs, or is in another checkpoint region), this node becomes an alias of `source` instead.
  /// - Parameter isShared: whether another result expands to `source` too.
  func expand(to source: Node, isShared: Bool) {
    cutEdges()
    guard !isShared, source.isReplaceable, source.region == region, let edge = source.first else {
      opReference = .passUnretained(.alias)
      attributes = .none
      first = Node.connect(source)
      return
    }
    (opReference, attributes) = (source.opReference, source.attributes)
    (first, second, third, others) = (edge, source.second, source.third, source.others)
    (source.first, source.second, source.third, source.others) = (nil, nil, nil, [])
  }

  /// Whether this node is a pending operation with one result, and neither a tensor nor another node refers to it.
  private var isReplaceable: Bool {
    !isMaterialized && !hasSeveralResults && op !== Op.result && consumerCount.load(ordering: .relaxed) == 0
      && handleCount.load(ordering: .acquiring) == 0
  }

  private func moveInputs(to list: inout [Unmanaged<Node>]) {
    if let edge = first { list.append(edge) }
    if let edge = second { list.append(edge) }
    if let edge = third { list.append(edge) }
    if !others.isEmpty { list.append(contentsOf: others) }
    first = nil
    second = nil
    third = nil
    others = []
  }

  deinit { cutEdges() }
}

private final class NodeNotes: Sendable {
  let failure: DeviceError?
  let numbers: ClosedRange<Int>?

  init(failure: DeviceError?, numbers: ClosedRange<Int>?) {
    self.failure = failure
    self.numbers = numbers
  }
}

extension Op {
  /// A value that is already on the device.
  static let leaf: Op = Op(
    name: "value", shape: { _, _ throws(ShapeError) in TensorType(Shape(), .float32) },
    gradient: .notDifferentiable, lower: .leaf)
}
