import ApusDevice
import CCUDA

/// A range of launches as a CUDA graph, which one call of the driver starts. Each launch depends on the launch before
/// it. The iterations of loops are separate nodes.
final class CUDAGraph {
  /// The largest number of nodes of a graph. A graph keeps a node's parameters in host and device memory.
  static let largestNodeCount = 4096

  private struct Node {
    let handle: CUgraphNode
    let launch: CUDADriver.RecordedLaunch
    let geometryOffset: Int32
  }

  private let context: CUDAContext
  private let graph: CUgraph
  private let executable: CUgraphExec
  private let nodes: [Node]
  /// For each slot, the address that is bound to it, and the indices of the nodes that use it.
  private var slots: [(address: CUdeviceptr, nodes: [Int])]

  /// Creates a graph with addresses of memories for each slot. The context must be current.
  /// - Parameter launches: launches with their geometry offsets, in order.
  init(
    _ launches: [(CUDADriver.RecordedLaunch, geometryOffset: Int32)], addresses: [CUdeviceptr], _ context: CUDAContext
  ) throws(DeviceError) {
    let api = context.api
    var graph: CUgraph?
    try context.check(api.cuGraphCreate(&graph, 0), "creating a graph")
    var executable: CUgraphExec?
    var nodes: [Node] = []
    var slots: [(address: CUdeviceptr, nodes: [Int])] = addresses.map { ($0, []) }
    do throws(DeviceError) {
      for (launch, offset) in launches {
        var (node, last): (CUgraphNode?, CUgraphNode?) = (nil, nodes.last?.handle)
        let status = launch.withParameters(addresses, geometryOffset: offset, api) { parameters in
          api.cuGraphAddKernelNode(&node, graph, &last, last == nil ? 0 : 1, &parameters)
        }
        try context.check(status, launch.label)
        for slot in Set(launch.slots + launch.tensorMaps.map(\.slot)) { slots[slot].nodes.append(nodes.count) }
        nodes.append(Node(handle: node!, launch: launch, geometryOffset: offset))
      }
      try context.check(api.cuGraphInstantiate(&executable, graph, 0), "creating a graph")
    } catch {
      _ = api.cuGraphDestroy(graph)
      throw error
    }
    (self.context, self.graph, self.executable) = (context, graph!, executable!)
    (self.nodes, self.slots) = (nodes, slots)
  }

  deinit {
    guard context.makeCurrent() else { return }
    // A graph that still runs is destroyed when it ends.
    _ = context.api.cuGraphExecDestroy(executable)
    _ = context.api.cuGraphDestroy(graph)
  }

  /// Starts the launches with other addresses. The context must be current.
  func start(addresses: [CUdeviceptr]) throws(DeviceError) {
    var changed: Set<Int> = []
    for slot in slots.indices where slots[slot].address != addresses[slot] {
      slots[slot].address = addresses[slot]
      changed.formUnion(slots[slot].nodes)
    }
    for index in changed {
      let node = nodes[index]
      let status = node.launch.withParameters(addresses, geometryOffset: node.geometryOffset, context.api) {
        parameters in
        context.api.cuGraphExecKernelNodeSetParams(executable, node.handle, &parameters)
      }
      try context.check(status, node.launch.label)
    }
    try context.check(context.api.cuGraphLaunch(executable, context.stream), "starting a graph")
  }
}
