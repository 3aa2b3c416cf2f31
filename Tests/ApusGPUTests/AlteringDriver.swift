import ApusDevice
import Synchronization
import Testing

@testable import ApusGPU

/// A driver that builds altered kernel sources, and fails if a test requests it.
final class AlteringDriver: GPUDriver {
  typealias Memory = OpenCLDriver.Memory
  typealias Module = OpenCLDriver.Module
  typealias Recording = OpenCLDriver.Recording
  typealias Transfer = OpenCLDriver.Transfer

  private let base: OpenCLDriver
  private let alter: @Sendable (String) -> String
  let target: KernelTarget
  /// The number of replays that succeed before one fails; `nil` for all.
  let replaysLeft = Mutex<Int?>(nil)

  /// - Parameters:
  ///   - adapt: Changes the description of the device that the lowering uses.
  ///   - alter: Returns the kernel source to build in place of its argument.
  init(
    _ options: GPUOptions, adapt: (inout KernelTarget) -> Void = { _ in },
    alter: @escaping @Sendable (String) -> String = { $0 }
  ) throws {
    base = try OpenCLDriver(try #require(OpenCLEntry.all().first), options: options)
    self.alter = alter
    var target = base.target
    adapt(&target)
    self.target = target
  }

  var info: DeviceInfo { base.info }
  var fingerprint: [String] { base.fingerprint }
  func allocate(byteCount: Int) throws(DeviceError) -> Memory { try base.allocate(byteCount: byteCount) }
  func free(_ memory: Memory) { base.free(memory) }
  func copyIn(_ source: UnsafeRawBufferPointer, to memory: Memory) throws(DeviceError) {
    try base.copyIn(source, to: memory)
  }
  func copyOut(_ memory: Memory, to target: UnsafeMutableRawBufferPointer) throws(DeviceError) -> Transfer {
    try base.copyOut(memory, to: target)
  }
  func wait(_ transfer: Transfer) throws(DeviceError) { try base.wait(transfer) }
  func compile(_ text: String, name: String) throws(DeviceError) -> Module {
    try base.compile(alter(text), name: name)
  }
  func load(_ binary: [UInt8]) -> Module? { base.load(binary) }
  func binary(of module: Module) -> [UInt8]? { base.binary(of: module) }
  func record(_ launches: [Launch<Module>], loops: [LaunchLoop]) throws(DeviceError) -> Recording {
    try base.record(launches, loops: loops)
  }
  func replay(_ recording: Recording, _ launches: Range<Int>, memories: [Memory]) throws(DeviceError) {
    let fails = replaysLeft.withLock { left in
      defer { left = left.map { $0 - 1 } }
      return left == 0
    }
    if fails { throw .outOfMemory(device: info.identifier, requested: 1, used: 0, available: 0) }
    try base.replay(recording, launches, memories: memories)
  }
  func synchronize() throws(DeviceError) { try base.synchronize() }
  func startProfile() throws(DeviceError) { try base.startProfile() }
  func finishProfile() throws(DeviceError) -> [StepRecord] { try base.finishProfile() }
}
