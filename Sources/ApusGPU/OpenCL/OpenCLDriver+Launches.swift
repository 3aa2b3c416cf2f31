import ApusDevice
import COpenCL

extension OpenCLDriver {
  /// Kernels with their arguments set. Each launch has a kernel object of its own, so that a replay sets
  /// only the arguments whose memory is another one than last time.
  final class Recording {
    fileprivate struct Entry {
      var kernel: cl_kernel
      var globalSize: Int
      var localSize: Int
      var label: LaunchLabel
      /// Keeps the program alive.
      var module: Module
    }

    fileprivate var entries: [Entry] = []
    /// For each slot the places it is bound at.
    fileprivate var places: [[(entry: Int, argument: cl_uint)]] = []
    fileprivate var bound: [Memory?] = []
    fileprivate let api: COpenCLFunctions

    fileprivate init(api: COpenCLFunctions) { self.api = api }

    deinit { for entry in entries { _ = api.clReleaseKernel(entry.kernel) } }
  }

  func record(_ launches: [Launch<Module>]) throws(DeviceError) -> Recording {
    let recording = Recording(api: api)
    for launch in launches {
      var status: cl_int = 0
      guard let kernel = api.clCreateKernel(launch.module.program, launch.kernel, &status) else {
        throw OpenCLStatus(code: status).error(device: info.identifier, activity: launch.kernel)
      }
      let index = recording.entries.count
      recording.entries.append(
        Recording.Entry(
          kernel: kernel, globalSize: launch.groups * launch.localSize, localSize: launch.localSize,
          label: launch.label, module: launch.module))
      for (argument, slot) in launch.slots.enumerated() {
        while recording.places.count <= slot {
          recording.places.append([])
          recording.bound.append(nil)
        }
        recording.places[slot].append((index, cl_uint(argument)))
      }
      var offset = launch.geometryOffset
      let argument = cl_uint(launch.slots.count)
      try check(
        api.clSetKernelArg(kernel, argument, MemoryLayout<Int32>.size, &offset), "\(launch.kernel), argument")
    }
    return recording
  }

  func replay(_ recording: Recording, memories: [Memory]) throws(DeviceError) {
    for slot in recording.places.indices where recording.bound[slot] != memories[slot] {
      var object: cl_mem? = memories[slot].object
      for place in recording.places[slot] {
        let kernel = recording.entries[place.entry].kernel
        try check(
          api.clSetKernelArg(kernel, place.argument, MemoryLayout<cl_mem?>.size, &object),
          recording.entries[place.entry].label.detail)
      }
      recording.bound[slot] = memories[slot]
    }
    if options.logsLaunches { return try replayLogged(recording) }
    for index in recording.entries.indices { try enqueue(recording.entries[index], nil) }
    _ = api.clFlush(queue)
  }

  private func enqueue(
    _ entry: Recording.Entry, _ event: UnsafeMutablePointer<cl_event?>?
  ) throws(DeviceError) {
    var global = entry.globalSize
    var local = entry.localSize
    let status = api.clEnqueueNDRangeKernel(queue, entry.kernel, 1, nil, &global, &local, 0, nil, event)
    guard status != CL_SUCCESS else { return }
    if OpenCLStatus(code: status).isOutOfMemory {
      throw .outOfMemory(
        device: info.identifier, requested: Int(entry.label.bytes), used: 0, available: info.memoryByteCount)
    }
    try check(status, "\(entry.label.operation) (\(entry.label.detail))")
  }

  /// Runs the launches one after the other and writes a line for each.
  private func replayLogged(_ recording: Recording) throws(DeviceError) {
    for entry in recording.entries {
      var event: cl_event?
      try enqueue(entry, &event)
      try check(api.clWaitForEvents(1, &event), entry.label.detail)
      var start: cl_ulong = 0
      var end: cl_ulong = 0
      let size = MemoryLayout<cl_ulong>.size
      _ = api.clGetEventProfilingInfo(event, cl_profiling_info(CL_PROFILING_COMMAND_START), size, &start, nil)
      _ = api.clGetEventProfilingInfo(event, cl_profiling_info(CL_PROFILING_COMMAND_END), size, &end, nil)
      _ = api.clReleaseEvent(event)
      LaunchLog.write(device: info.identifier, entry.label, nanoseconds: end &- start)
    }
  }
}
