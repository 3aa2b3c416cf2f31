import ApusDevice

/// The GPU programming interface that a device uses: three properties that describe the device, and seven functions for
/// memory, programs and launches. A driver does not know tensors or operations.
///
/// Each requirement is a fact or an action that programming interfaces provide in different ways:
///
/// - `info`: the identity and the limits of the device. Errors contain the identifier, and the memory pool observes the
///   limits of memory.
/// - `target`: what kernel source depends on, such as the dialect and the width of registers, and the fingerprint,
///   which is part of the keys of stored binaries.
/// - `freeByteCount`: other processes use the same device memory, so the device cannot count the free bytes itself.
/// - `allocate`: device memory has a handle, and its size is limited. Releasing the handle frees the memory, so no
///   function frees it.
/// - `copyIn` and `copyOut`: the host cannot access device memory. They are two functions because a caller waits for
///   the bytes that it reads, not for the bytes that it writes.
/// - `compile`: kernels are source until the device is known. The driver gets all programs of a plan at once, since
///   some drivers build in parallel.
/// - `record` and `replay`: a plan runs many times, each time with different memory. What does not change, such as the
///   kernel of each launch, is prepared once.
/// - `synchronize`: work is asynchronous. The times of launches are known when the launches are done, so `synchronize`
///   returns the times.
///
/// The four associated types are the handles of the programming interface. Two have a requirement: a `GPUModule`
/// returns its binary, and a `GPUTransfer` waits for its bytes.
///
/// Work runs in order: each call takes effect after all earlier calls. Calls come from one thread at a time, except
/// that any thread may at any time call `compile`, read `freeByteCount`, use modules and transfers, and release memory.
/// `GPUDriverTests` checks this contract with any driver.
protocol GPUDriver: AnyObject, Sendable {
  /// A block of device memory, which is freed when the last reference is released. Work that was submitted before the
  /// release still uses the block.
  associatedtype Memory: AnyObject, Sendable
  associatedtype Module: GPUModule
  /// Prepared launches, to which `replay` binds memory. A recording does not keep this memory alive.
  associatedtype Recording: AnyObject
  associatedtype Transfer: GPUTransfer

  var info: DeviceInfo { get }
  var target: KernelTarget { get }
  /// The device memory that is free for all processes; `nil` if the driver does not report it.
  var freeByteCount: Int? { get }

  /// Allocates a block that is filled with zeros: kernels read whole vector registers even at the end of an array, and
  /// the elements past the end must have the same values in every run.
  func allocate(byteCount: Int) throws(DeviceError) -> Memory
  /// Copies host bytes to the start of a block; the source may be reused on return.
  func copyIn(_ source: UnsafeRawBufferPointer, to memory: Memory) throws(DeviceError)
  /// Starts copying the first `byteCount` bytes of a block to host memory of the driver. Does not wait.
  func copyOut(_ memory: Memory, byteCount: Int) throws(DeviceError) -> Transfer

  /// Builds programs, in parallel where that is possible. The results are in the order of the programs.
  func compile(_ programs: [ProgramSource]) -> [Result<CompiledProgram<Module>, DeviceError>]

  /// Prepares launches to be replayed in order. In `loops`, an inner loop follows the loop that contains it.
  func record(_ launches: [Launch<Module>], loops: [LaunchLoop]) throws(DeviceError) -> Recording
  /// Starts a range of launches, with `memories[slot]` bound to each slot. The range must not split a loop.
  func replay(_ recording: Recording, _ launches: Range<Int>, memories: [Memory]) throws(DeviceError)
  /// Waits for all work. With `measuring`, the launches from now until the next call are measured, and the next call
  /// returns their times in order of their start. Without `measuring`, the next call returns an empty array.
  @discardableResult
  func synchronize(measuring: Bool) throws(DeviceError) -> [LaunchTime]
}

/// A built program.
protocol GPUModule: Sendable {
  /// The binary of the program for ``ProgramSource/binary`` in later processes; `nil` if there is none. With some
  /// drivers, it exists or is complete only after the first launches.
  var binary: [UInt8]? { get }
}

/// A copy from device memory to host memory of the driver. The host memory is page-locked if the device supports that.
/// When the last reference to a transfer is released, the transfer waits for its copy, and the host memory can be
/// reused.
protocol GPUTransfer: AnyObject, Sendable {
  /// Waits for the copy and returns the bytes, which are valid as long as the transfer exists.
  func wait() throws(DeviceError) -> UnsafeRawBufferPointer
}

/// A program to build: the source of one or more kernels.
struct ProgramSource: Sendable {
  /// The name for messages.
  var name: String
  var text: String
  var kernels: [String]
  /// The binary of the same source from an earlier process. A driver that rejects it builds the source.
  var binary: [UInt8]?
}

/// A built program.
struct CompiledProgram<Module: GPUModule>: Sendable {
  /// How the program was built.
  enum Origin { case binary, source, helperProcess }

  var module: Module
  var origin: Origin
}

/// One kernel launch. A kernel's parameters are blocks of memory, one `int`, and tensor maps. The `int` is the offset of
/// the launch's numbers in the plan's geometry, the array of all numbers that launches of the plan read
/// (`SlotTable.geometry`).
struct Launch<Module: GPUModule>: Sendable {
  var module: Module
  var kernel: String
  /// The name for messages: the operation and what it is applied to.
  var label: String
  /// Indices into the `memories` of `replay`, parallel to the kernel's pointers.
  var slots: [Int]
  var geometryOffset: Int32
  /// The tensor maps, which are not in loops; empty unless `KernelTarget.hasWarpgroups`.
  var tensorMaps: [TensorMap] = []
  /// The number of work-groups.
  var groups: Int
  /// The number of work-items of a group. The source of a GPU kernel contains it too, as the only size that the kernel
  /// supports.
  var localSize: Int
  /// The bytes of the local arrays of a group.
  var localByteCount: Int
  /// The number that identifies the launch in a ``LaunchTime``.
  var tag: Int
}

/// The time of a launch, in seconds of the device's clock.
struct LaunchTime: Sendable {
  /// The launch's `tag`.
  var tag: Int
  var start: Double
  var duration: Double

  /// Drivers read the events of launches in batches of this size, so that a long measurement does not keep all events.
  static let batchSize = 4096
}
