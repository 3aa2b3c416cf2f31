import ApusDevice
import CCUDA

extension CUDADriver {
  /// A launch whose function has been looked up in its module. A replay adds the addresses of the memory blocks.
  struct RecordedLaunch {
    let function: CUfunction
    let groups: UInt32
    let localSize: UInt32
    /// The dynamic shared memory of the launch in bytes: the local memory of the kernel if it is more than a kernel can
    /// declare, otherwise 0.
    let sharedByteCount: UInt32
    let label: String
    let tag: Int
    let slots: [Int]
    let tensorMaps: [TensorMap]
    /// The offset of the launch's numbers in the geometry, the array of all numbers that launches of the plan read.
    let geometryOffset: Int32
    /// Keeps the device code loaded.
    let module: Module

    /// Calls `body` with the launch's parameters: the addresses of its memory blocks, the geometry offset, and the
    /// encoded tensor maps.
    /// - Parameter addresses: the address that is bound to each slot.
    /// - Returns: the result of `body`, or of the creation of a tensor map that failed.
    func withParameters(
      _ addresses: [CUdeviceptr], geometryOffset: Int32, _ api: CCUDADriver,
      _ body: (inout CUDA_KERNEL_NODE_PARAMS) -> CUresult
    ) -> CUresult {
      var values = slots.map { addresses[$0] } + [UInt64(UInt32(bitPattern: geometryOffset))]
      let mapBytes = tensorMaps.count * MemoryLayout<CUtensorMap>.stride
      return withUnsafeTemporaryAllocation(byteCount: mapBytes, alignment: 64) { bytes in
        let maps = bytes.bindMemory(to: CUtensorMap.self)
        for (index, map) in tensorMaps.enumerated() {
          let status = map.encode(at: addresses[map.slot], to: maps.baseAddress! + index, api)
          guard status == CUDA_SUCCESS else { return status }
        }
        return values.withUnsafeMutableBufferPointer { values in
          var pointers: [UnsafeMutableRawPointer?] = values.indices.map { .init(values.baseAddress! + $0) }
          pointers += maps.indices.map { .init(maps.baseAddress! + $0) }
          return pointers.withUnsafeMutableBufferPointer { pointers in
            var parameters = CUDA_KERNEL_NODE_PARAMS(
              function: function, groups_x: groups, groups_y: 1, groups_z: 1, threads_x: localSize, threads_y: 1,
              threads_z: 1, shared_bytes: sharedByteCount, parameters: pointers.baseAddress, extra: nil, kernel: nil,
              context: nil)
            return body(&parameters)
          }
        }
      }
    }
  }

  /// The launches of a plan, and a graph for each range that was replayed more than once.
  final class Recording {
    fileprivate let launches: [RecordedLaunch]
    fileprivate let loops: [LaunchLoop]
    fileprivate var graphs: [Range<Int>: ReplayState] = [:]

    fileprivate init(_ launches: [RecordedLaunch], loops: [LaunchLoop]) {
      (self.launches, self.loops) = (launches, loops)
    }

    /// Whether later replays of a range start a graph.
    func hasGraph(of range: Range<Int>) -> Bool {
      if case .graph = graphs[range] { true } else { false }
    }
  }

  /// What earlier replays of a range have prepared.
  fileprivate enum ReplayState {
    /// The range was replayed once. A plan that runs only once needs no graph.
    case replayed
    /// Replays start the launches one by one: the range has too many launches for a graph, or only one, or creating or
    /// starting a graph failed.
    case failed
    case graph(CUDAGraph)
  }

  func record(_ launches: [Launch<Module>], loops: [LaunchLoop]) throws(DeviceError) -> Recording {
    try enter()
    var recorded: [RecordedLaunch] = []
    for launch in launches {
      var function: CUfunction?
      try check(api.cuModuleGetFunction(&function, launch.module.module, launch.kernel), launch.kernel)
      let shared = launch.localByteCount > KernelTarget.staticLocalByteCount ? launch.localByteCount : 0
      if shared > 0 {
        let code = api.cuFuncSetAttribute(function, CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES, Int32(shared))
        try check(code, launch.kernel)
      }
      recorded.append(
        RecordedLaunch(
          function: function!, groups: UInt32(launch.groups), localSize: UInt32(launch.localSize),
          sharedByteCount: UInt32(shared), label: launch.label, tag: launch.tag, slots: launch.slots,
          tensorMaps: launch.tensorMaps, geometryOffset: launch.geometryOffset,
          module: launch.module))
    }
    return Recording(recorded, loops: loops)
  }

  func replay(_ recording: Recording, _ launches: Range<Int>, memories: [Memory]) throws(DeviceError) {
    try enter()
    let addresses = memories.map(\.address)
    if timed == nil, let graph = try graph(of: recording, launches, addresses) {
      do throws(DeviceError) { return try graph.start(addresses: addresses) } catch {
        // The graph may have been updated with only some of the new addresses.
        recording.graphs[launches] = .failed
        throw error
      }
    }
    try recording.loops.forEachLaunch(in: launches) { (index, shift) throws(DeviceError) in
      let launch = recording.launches[index]
      let start = try timed.map { _ throws(DeviceError) in try event(hasTime: true) }
      let offset = launch.geometryOffset + Int32(shift ?? 0)
      let code = launch.withParameters(addresses, geometryOffset: offset, api) { p in
        api.cuLaunchKernel(
          p.function, p.groups_x, 1, 1, p.threads_x, 1, 1, p.shared_bytes, stream, p.parameters, nil)
      }
      try check(code, launch.label)
      if let start { try timed?.add(start, try event(hasTime: true), tag: launch.tag) }
    }
  }

  /// The graph of a range, which the second replay of the range creates; `nil` if the launches are started one by one.
  private func graph(
    of recording: Recording, _ range: Range<Int>, _ addresses: [CUdeviceptr]
  ) throws(DeviceError) -> CUDAGraph? {
    switch recording.graphs[range] {
    case .graph(let graph): return graph
    case .failed: return nil
    case nil:
      recording.graphs[range] = .replayed
      return nil
    case .replayed:
      var launches: [(RecordedLaunch, geometryOffset: Int32)] = []
      recording.loops.forEachLaunch(in: range) { index, shift in
        let launch = recording.launches[index]
        launches.append((launch, launch.geometryOffset + Int32(shift ?? 0)))
      }
      recording.graphs[range] = .failed
      guard launches.count > 1, launches.count <= CUDAGraph.largestNodeCount else { return nil }
      do throws(DeviceError) {
        let graph = try CUDAGraph(launches, addresses: addresses, context)
        recording.graphs[range] = .graph(graph)
        return graph
      } catch {
        if case .lost = error { throw error }
        return nil
      }
    }
  }

  @discardableResult
  func synchronize(measuring: Bool) throws(DeviceError) -> [LaunchTime] {
    try enter()
    var ended = timed
    timed = nil
    try check(api.cuStreamSynchronize(stream), "a wait for the stream")
    try ended?.finish()
    if measuring { timed = TimedCUDALaunches(try event(hasTime: true)) }
    return ended?.times ?? []
  }
}

/// The times of launches. For each launch that may still be running, there are two events instead: one before it and
/// one after it.
struct TimedCUDALaunches {
  private(set) var times: [LaunchTime] = []
  private let origin: CUDAEvent
  private var pending: [(start: CUDAEvent, end: CUDAEvent, tag: Int)] = []

  init(_ origin: CUDAEvent) { self.origin = origin }

  mutating func add(_ start: CUDAEvent, _ end: CUDAEvent, tag: Int) throws(DeviceError) {
    pending.append((start, end, tag))
    if pending.count >= LaunchTime.batchSize { try finish() }
  }

  /// Waits for the pending launches and records their times.
  mutating func finish() throws(DeviceError) {
    defer { pending = [] }
    try pending.last?.end.wait("a launch")
    for (start, end, tag) in pending {
      times.append(LaunchTime(tag: tag, start: start.seconds(since: origin), duration: end.seconds(since: start)))
    }
  }
}
