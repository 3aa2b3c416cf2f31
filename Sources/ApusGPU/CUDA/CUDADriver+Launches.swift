import ApusDevice
import CCUDA

extension CUDADriver {
  /// Launches whose functions have been looked up. `replay` fills in the addresses of the memories.
  final class Recording {
    fileprivate struct Entry {
      var function: CUfunction
      var groups: UInt32
      var localSize: UInt32
      var label: String
      var tag: Int
      var slots: [Int]
      /// The offset of the launch's numbers in the geometry, the array of all numbers that launches of the plan read.
      var geometryOffset: Int32
      /// Keeps the device code loaded.
      var module: Module
    }

    fileprivate var entries: [Entry] = []
    fileprivate let loops: [LaunchLoop]

    fileprivate init(loops: [LaunchLoop]) { self.loops = loops }
  }

  func record(_ launches: [Launch<Module>], loops: [LaunchLoop]) throws(DeviceError) -> Recording {
    try enter()
    let recording = Recording(loops: loops)
    for launch in launches {
      var function: CUfunction?
      try check(api.cuModuleGetFunction(&function, launch.module.module, launch.kernel), launch.kernel)
      recording.entries.append(
        Recording.Entry(
          function: function!, groups: UInt32(launch.groups), localSize: UInt32(launch.localSize),
          label: launch.label, tag: launch.tag, slots: launch.slots, geometryOffset: launch.geometryOffset,
          module: launch.module))
    }
    return recording
  }

  func replay(_ recording: Recording, _ launches: Range<Int>, memories: [Memory]) throws(DeviceError) {
    try enter()
    // The parameters of a kernel: the addresses of its memories, then the geometry offset.
    var values: [UInt64] = []
    var parameters: [UnsafeMutableRawPointer?] = []
    try recording.loops.forEachLaunch(in: launches) { (index, shift) throws(DeviceError) in
      let entry = recording.entries[index]
      values.removeAll(keepingCapacity: true)
      for slot in entry.slots { values.append(memories[slot].address) }
      values.append(UInt64(UInt32(bitPattern: entry.geometryOffset + Int32(shift ?? 0))))
      let start = try timed.map { _ throws(DeviceError) in try event(hasTime: true) }
      let code = values.withUnsafeMutableBufferPointer { values in
        parameters.removeAll(keepingCapacity: true)
        for index in values.indices { parameters.append(values.baseAddress! + index) }
        return api.cuLaunchKernel(
          entry.function, entry.groups, 1, 1, entry.localSize, 1, 1, 0, stream, &parameters, nil)
      }
      try check(code, entry.label)
      if let start { try timed?.add(start, try event(hasTime: true), tag: entry.tag) }
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
