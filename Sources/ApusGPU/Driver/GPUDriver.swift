import ApusDevice

/// The GPU programming interface that a device uses: memory, programs and launches. A driver knows nothing of tensors
/// and operations.
///
/// Work runs in order: each call takes effect after all earlier calls. Calls come from one thread at a time, except
/// `wait`, `free` and `binary`, which any thread may call.
protocol GPUDriver: AnyObject, Sendable {
  /// A block of device memory.
  associatedtype Memory: Sendable
  /// A built program.
  associatedtype Module: Sendable
  /// Launches with their arguments bound.
  associatedtype Recording: AnyObject
  /// A pending copy to the host.
  associatedtype Transfer: Sendable

  var info: DeviceInfo { get }
  var target: KernelTarget { get }
  /// Device, driver and platform with their versions: everything but the source that a built program depends on.
  var fingerprint: [String] { get }

  func allocate(byteCount: Int) throws(DeviceError) -> Memory
  func free(_ memory: Memory)

  /// Copies host bytes to the start of a block; the source may be reused on return.
  func copyIn(_ source: UnsafeRawBufferPointer, to memory: Memory) throws(DeviceError)
  /// Starts copying the start of a block to `target`, which must stay valid until `wait` returns.
  func copyOut(_ memory: Memory, to target: UnsafeMutableRawBufferPointer) throws(DeviceError) -> Transfer
  func wait(_ transfer: Transfer) throws(DeviceError)

  /// Builds a program from the source of one or more kernels; `name` is used in messages.
  func compile(_ text: String, name: String) throws(DeviceError) -> Module
  /// The number of programs that the driver can build in parallel.
  var builderCount: Int { get }
  /// Builds programs in parallel, ahead of their calls of `compile`, which reports failed builds.
  /// - Returns: the number of programs that were built.
  func prebuild(_ programs: [(text: String, kernels: [String])]) -> Int
  /// Loads a program that `binary` returned in an earlier process; `nil` if the driver rejects it.
  func load(_ binary: [UInt8]) -> Module?
  func binary(of module: Module) -> [UInt8]?

  /// Prepares launches to be replayed in order. In `loops`, an inner loop follows the loop that contains it.
  func record(_ launches: [Launch<Module>], loops: [LaunchLoop]) throws(DeviceError) -> Recording
  /// Starts a range of launches, with `memories[slot]` bound to each slot. The range must not split a loop.
  func replay(_ recording: Recording, _ launches: Range<Int>, memories: [Memory]) throws(DeviceError)

  func synchronize() throws(DeviceError)

  /// Starts to record when each launch begins and ends.
  func startProfile() throws(DeviceError)
  /// Waits for all launches and returns the records of the launches since `startProfile`.
  func finishProfile() throws(DeviceError) -> [StepRecord]
}

extension GPUDriver {
  var builderCount: Int { 1 }
  func prebuild(_ programs: [(text: String, kernels: [String])]) -> Int { 0 }
}

/// One kernel launch. A kernel's parameters are blocks of memory, then one `int`: the offset of the launch's numbers in
/// the plan's geometry.
struct Launch<Module: Sendable>: Sendable {
  var module: Module
  var kernel: String
  /// Indices into the `memories` of `replay`, parallel to the kernel's pointers.
  var slots: [Int]
  var geometryOffset: Int32
  var groups: Int
  var localSize: Int
  var cost: StepCost
}
