import ApusDevice
import Synchronization

/// A node of the lazy graph: an operation on other nodes, or a materialized value.
///
/// `op`, `shape`, `dtype` and `attributes` never change. Edges, buffer and scratch fields belong to the
/// evaluation lock of the node's device; they are also written while only one thread knows the node.
final class Node: @unchecked Sendable {
  unowned(unsafe) let op: Op
  unowned(unsafe) let device: ComputeDevice
  let shape: Shape
  let dtype: DType
  let attributes: Attributes
  /// Nodes of different checkpointed regions are never merged; 0 is outside of all.
  let region: UInt32

  private(set) var first: Node?
  private(set) var second: Node?
  private(set) var third: Node?
  private(set) var others: [Node]

  /// The value, once there is one.
  var buffer: Buffer?
  /// Why there is no value: an upload that failed, reported when the value is used.
  var failure: DeviceError?

  /// Tensors that refer to the node.
  let handleCount = Atomic<Int32>(0)
  /// Edges from pending nodes to this one.
  let consumerCount = Atomic<Int32>(0)

  // Scratch of one traversal.
  var mark: UInt32 = 0
  var position: Int32 = 0
  var edges: Int32 = 0

  init(
    op: Op, inputs: borrowing OpInputs, attributes: Attributes, type: TensorType,
    device: ComputeDevice
  ) {
    self.op = op
    self.device = device
    shape = type.shape
    dtype = type.dtype
    self.attributes = attributes
    region = CheckpointRegion.current
    first = inputs.first
    second = inputs.second
    third = inputs.third
    others = inputs.others
    first?.consumerCount.add(1, ordering: .relaxed)
    second?.consumerCount.add(1, ordering: .relaxed)
    third?.consumerCount.add(1, ordering: .relaxed)
    for other in others { other.consumerCount.add(1, ordering: .relaxed) }
  }

  /// A materialized value.
  init(buffer: Buffer?, failure: DeviceError? = nil, type: TensorType, device: ComputeDevice) {
    op = .leaf
    self.device = device
    shape = type.shape
    dtype = type.dtype
    attributes = .none
    region = 0
    others = []
    self.buffer = buffer
    self.failure = failure
  }

  var inputCount: Int {
    if first == nil { return 0 }
    if second == nil { return 1 }
    if third == nil { return 2 }
    return 3 + others.count
  }

  func input(_ index: Int) -> Node {
    switch index {
    case 0: first!
    case 1: second!
    case 2: third!
    default: others[index - 3]
    }
  }

  /// Whether the node has a value, and so is an input of whatever uses it.
  var isMaterialized: Bool { buffer != nil || failure != nil }

  var hasEdges: Bool { first != nil }

  /// Lets go of the inputs. What they alone held is released without recursion.
  func cutEdges() {
    guard first != nil else { return }
    var pending: [Node] = []
    moveInputs(to: &pending)
    Node.release(&pending)
  }

  private func moveInputs(to list: inout [Node]) {
    if let node = first { list.append(node) }
    if let node = second { list.append(node) }
    if let node = third { list.append(node) }
    list.append(contentsOf: others)
    first = nil
    second = nil
    third = nil
    others = []
  }

  /// Releases nodes, and what only they hold, one after the other: a chain of a million pending
  /// nodes would overflow the stack if each released the next.
  private static func release(_ pending: inout [Node]) {
    while var node = pending.popLast() {
      node.consumerCount.subtract(1, ordering: .relaxed)
      if isKnownUniquelyReferenced(&node), node.first != nil { node.moveInputs(to: &pending) }
    }
  }

  deinit {
    guard first != nil else { return }
    var pending: [Node] = []
    moveInputs(to: &pending)
    Node.release(&pending)
  }
}

extension Op {
  /// A value that is already on the device.
  static let leaf: Op = Op(
    name: "value", shape: { _, _ throws(ShapeError) in TensorType(Shape(), .float32) },
    gradient: .notDifferentiable, lower: .leaf)
}
