import ApusDevice

/// A GPU programming interface as the device needs it: bytes, programs and launches. A driver knows no
/// tensors and no operations.
///
/// Work is in order: everything takes effect after what was called before it. Calls come from one
/// thread at a time, but for `wait`, `free` and `binary`, which may come from any.
protocol GPUDriver: AnyObject, Sendable {
  /// A block of device memory.
  associatedtype Memory: Sendable
  /// A built program.
  associatedtype Module: Sendable
  /// Launches with their arguments bound.
  associatedtype Recording: AnyObject
  /// A copy to the host under way.
  associatedtype Transfer: Sendable

  var info: DeviceInfo { get }
  var target: KernelTarget { get }
  /// Device, driver and platform with their versions: what a built program depends on beside its text.
  var fingerprint: [String] { get }

  func allocate(byteCount: Int) throws(DeviceError) -> Memory
  func free(_ memory: Memory)

  /// Copies host bytes to the start of a block; the source may be reused on return.
  func copyIn(_ source: UnsafeRawBufferPointer, to memory: Memory) throws(DeviceError)
  /// Starts copying the start of a block to `target`, which must stay valid until `wait` returned.
  func copyOut(_ memory: Memory, to target: UnsafeMutableRawBufferPointer) throws(DeviceError) -> Transfer
  func wait(_ transfer: Transfer) throws(DeviceError)

  /// Builds a program of the text of one or more kernels; `name` is for messages.
  func compile(_ text: String, name: String) throws(DeviceError) -> Module
  /// How many programs the driver can build at a time.
  var builderCount: Int { get }
  /// Has programs built, several at a time, which `compile` is then asked for. What fails is left to that.
  /// - Returns: how many were built.
  func prebuild(_ programs: [(text: String, kernels: [String])]) -> Int
  /// A program from what `binary` returned in an earlier process, or `nil` where the driver refuses it.
  func load(_ binary: [UInt8]) -> Module?
  func binary(of module: Module) -> [UInt8]?

  /// Prepares launches to be run in order, many times. Loops inside of others stand behind them.
  func record(_ launches: [Launch<Module>], loops: [LaunchLoop]) throws(DeviceError) -> Recording
  /// Starts some launches of a recording, in which loops are whole, with `memories[slot]` in the place of each slot.
  func replay(_ recording: Recording, _ launches: Range<Int>, memories: [Memory]) throws(DeviceError)

  func synchronize() throws(DeviceError)

  /// Notes from now on when each launch began and ended.
  func startProfile() throws(DeviceError)
  /// Waits for all launches and returns those since `startProfile`.
  func finishProfile() throws(DeviceError) -> [StepRecord]
}

extension GPUDriver {
  var builderCount: Int { 1 }
  func prebuild(_ programs: [(text: String, kernels: [String])]) -> Int { 0 }
}

/// One kernel launch. A kernel's parameters are blocks of memory, then one `int`: where in the plan's
/// geometry its numbers begin.
struct Launch<Module: Sendable>: Sendable {
  var module: Module
  var kernel: String
  /// Places in the table of memories that `replay` is given, parallel to the kernel's pointers.
  var slots: [Int]
  var geometryOffset: Int32
  var groups: Int
  var localSize: Int
  var cost: StepCost
}

/// What the text of kernels depends on.
package struct KernelTarget: Sendable, Hashable {
  /// Shapes of kernels: long vectors in single work-items, or groups of work-items that share memory.
  package enum Class: String, Sendable, Hashable, CaseIterable { case cpu, gpu }

  /// The file of `Kernels/prelude` that defines the dialect.
  var dialect: String
  var kernelClass: Class
  var supportsFloat64: Bool
  /// For CPUs: how many vectors of `width` numbers of 32 bits the registers of a core hold.
  var registerCount = 32
  /// For GPUs: who made it, where that decides on the shapes of kernels.
  var vendor = Vendor.other
  /// For GPUs: the memory that a group of work-items shares, in bytes, and the most work-items of a group.
  var localByteCount = 48 << 10
  var largestGroup = 1024
  /// For GPUs: how work-items read registers of others; `nil` where they cannot.
  var subgroup: Subgroup?
  /// Units that each run some groups at a time.
  var computeUnits = 1
  /// The file of `Kernels/tuning` with what was measured on such devices, where there is one.
  var tuningFile: String?

  /// Work-items that follow one another, run in step and can read each other's registers.
  struct Subgroup: Sendable, Hashable {
    /// The functions that read them, as `Kernels/prelude/subgroup.h` names them: OpenCL's, Intel's or NVIDIA's PTX.
    enum Access: String { case khr = "SUBGROUP_KHR", intel = "SUBGROUP_INTEL", ptx = "SUBGROUP_PTX" }

    /// A power of two, at most 256.
    var size: Int
    var access: Access
  }

  /// A maker of GPUs.
  package enum Vendor: Sendable, Hashable { case nvidia, amd, intel, other }

  init(dialect: String, kernelClass: Class, supportsFloat64: Bool) {
    self.dialect = dialect
    self.kernelClass = kernelClass
    self.supportsFloat64 = supportsFloat64
  }

  /// Elements that a work-item holds in one register.
  var width: Int { kernelClass == .cpu ? 16 : 1 }

  /// For CPUs: as many work-items as balance the load of the cores, for kernels that lose little if work is cut finer.
  var enoughItems: Int { 16 * computeUnits }

  /// The same for kernels whose work-items each pack factors or keep sums between blocks: finer cuts repeat that work.
  var enoughPackingItems: Int { 4 * computeUnits }
}
