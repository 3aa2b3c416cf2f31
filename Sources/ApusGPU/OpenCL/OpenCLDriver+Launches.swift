import ApusDevice
import COpenCL

extension OpenCLDriver {
  /// Kernels with their arguments set. Each launch has its own kernel object, so that a replay only sets the arguments
  /// whose memory changed since the last replay and, in loops, the geometry offsets.
  final class Recording {
    fileprivate struct Entry {
      var kernel: cl_kernel
      var globalSize: Int
      var localSize: Int
      var label: String
      var tag: Int
      var slots: [Int]
      /// The offset of the launch's numbers in the geometry (the array of numbers that the kernels of a plan read), and
      /// the index of the kernel argument with that offset.
      var geometryOffset: Int32
      var geometryArgument: cl_uint
      /// Keeps the program alive.
      var module: Module
    }

    fileprivate var entries: [Entry] = []
    fileprivate var loops: [LaunchLoop] = []
    /// For each slot (an index of the `memories` of a replay), the kernel arguments that the slot is bound to.
    fileprivate var bindings: [[(entry: Int, argument: cl_uint)]] = []
    /// For each slot, the `number` of the `Memory` that is bound to it; 0 for none.
    fileprivate var bound: [Int] = []
    fileprivate let api: COpenCLFunctions

    fileprivate init(api: COpenCLFunctions) { self.api = api }

    deinit { for entry in entries { _ = api.clReleaseKernel(entry.kernel) } }
  }

  func record(_ launches: [Launch<Module>], loops: [LaunchLoop]) throws(DeviceError) -> Recording {
    let recording = Recording(api: api)
    recording.loops = loops
    for launch in launches {
      var status: cl_int = 0
      guard let kernel = api.clCreateKernel(launch.module.program, launch.kernel, &status) else {
        throw OpenCLStatus(code: status).error(device: info.identifier, activity: launch.kernel)
      }
      let index = recording.entries.count
      recording.entries.append(
        Recording.Entry(
          kernel: kernel, globalSize: launch.groups * launch.localSize, localSize: launch.localSize,
          label: launch.label, tag: launch.tag, slots: launch.slots, geometryOffset: launch.geometryOffset,
          geometryArgument: cl_uint(launch.slots.count), module: launch.module))
      for (argument, slot) in launch.slots.enumerated() {
        while recording.bindings.count <= slot {
          recording.bindings.append([])
          recording.bound.append(0)
        }
        recording.bindings[slot].append((index, cl_uint(argument)))
      }
      try setGeometry(recording.entries[index], shift: 0)
    }
    return recording
  }

  private func setGeometry(_ entry: Recording.Entry, shift: Int) throws(DeviceError) {
    var offset = entry.geometryOffset + Int32(shift)
    try check(
      api.clSetKernelArg(entry.kernel, entry.geometryArgument, MemoryLayout<Int32>.size, &offset), entry.label)
  }

  func replay(_ recording: Recording, _ launches: Range<Int>, memories: [Memory]) throws(DeviceError) {
    for slot in recording.bindings.indices where recording.bound[slot] != memories[slot].number {
      var object: cl_mem? = memories[slot].object
      for binding in recording.bindings[slot] {
        let kernel = recording.entries[binding.entry].kernel
        try check(
          api.clSetKernelArg(kernel, binding.argument, MemoryLayout<cl_mem?>.size, &object),
          recording.entries[binding.entry].label)
      }
      recording.bound[slot] = memories[slot].number
    }
    try recording.loops.forEachLaunch(in: launches) { (index, shift) throws(DeviceError) in
      let entry = recording.entries[index]
      if let shift { try setGeometry(entry, shift: shift) }
      try enqueue(entry, memories)
    }
    _ = api.clFlush(queue)
  }

  private func enqueue(_ entry: Recording.Entry, _ memories: [Memory]) throws(DeviceError) {
    var global = entry.globalSize
    var local = entry.localSize
    var event: cl_event?
    let status =
      timed == nil
      ? api.clEnqueueNDRangeKernel(queue, entry.kernel, 1, nil, &global, &local, 0, nil, nil)
      : api.clEnqueueNDRangeKernel(queue, entry.kernel, 1, nil, &global, &local, 0, nil, &event)
    guard status == CL_SUCCESS else {
      // Drivers that allocate lazily report a lack of memory at the first launch that uses a block.
      if OpenCLStatus(code: status).isOutOfMemory {
        throw .outOfMemory(
          device: info.identifier, requested: entry.slots.reduce(0) { $0 + memories[$1].byteCount }, used: 0,
          available: info.memoryByteCount)
      }
      return try check(status, entry.label)
    }
    if let event { try timed!.add(event, tag: entry.tag, self) }
  }
}
