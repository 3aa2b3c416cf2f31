import ApusDevice
import Synchronization
import Testing

@testable import ApusGPU

typealias CheckedOpenCL = CheckedDriver<OpenCLDriver>

extension CheckedDriver where Base == OpenCLDriver {
  /// A driver of OpenCL device 0.
  convenience init(
    _ options: GPUOptions, adapt: (inout KernelTarget) -> Void = { _ in },
    alter: @escaping @Sendable (String) -> String = { $0 }
  ) throws {
    let base = try OpenCLDriver(try #require(OpenCLEntry.all().first), options: options)
    self.init(base, adapt: adapt, alter: alter)
  }
}

/// A driver that passes each call on to another driver, and stops the process if a caller breaks the contract of
/// ``GPUDriver``, for example by a copy or a launch out of bounds, or by calls from two threads at the same time. A
/// test can make the driver alter kernel sources, or fail in a replay.
final class CheckedDriver<Base: GPUDriver>: GPUDriver {
  typealias Transfer = Base.Transfer
  typealias Module = Base.Module

  final class Memory: Sendable {
    fileprivate let base: Base.Memory
    fileprivate let byteCount: Int

    fileprivate init(_ base: Base.Memory, byteCount: Int) { (self.base, self.byteCount) = (base, byteCount) }
  }

  final class Recording {
    let base: Base.Recording
    let slotCount: Int
    let launchCount: Int
    let loops: [LaunchLoop]

    init(_ base: Base.Recording, _ launches: [Launch<Module>], _ loops: [LaunchLoop]) {
      (self.base, self.loops) = (base, loops)
      slotCount = (launches.flatMap(\.slots).max() ?? -1) + 1
      launchCount = launches.count
    }
  }

  private struct State {
    var isBusy = false
    var replaysLeft: Int?
  }

  let base: Base
  private let alter: @Sendable (String) -> String
  private let state = Mutex(State())
  let target: KernelTarget

  /// - Parameters:
  ///   - adapt: changes the description of the device that the lowering uses.
  ///   - alter: returns the kernel source to build instead of its argument.
  init(
    _ base: Base, adapt: (inout KernelTarget) -> Void = { _ in },
    alter: @escaping @Sendable (String) -> String = { $0 }
  ) {
    self.base = base
    self.alter = alter
    var target = base.target
    adapt(&target)
    self.target = target
  }

  /// Lets `count` replays succeed, and the next one fail; `nil` lets all succeed.
  func failReplay(after count: Int?) { state.withLock { $0.replaysLeft = count } }

  /// Runs a call that must not overlap with another call.
  private func exclusively<R>(_ body: () throws(DeviceError) -> R) throws(DeviceError) -> R {
    let wasBusy = state.withLock { state in
      defer { state.isBusy = true }
      return state.isBusy
    }
    precondition(!wasBusy, "two threads call the driver at once")
    defer { state.withLock { $0.isBusy = false } }
    return try body()
  }

  var info: DeviceInfo { base.info }

  func allocate(byteCount: Int) throws(DeviceError) -> Memory {
    precondition(byteCount > 0, "allocation of no bytes")
    let memory = try exclusively { () throws(DeviceError) in try base.allocate(byteCount: byteCount) }
    return Memory(memory, byteCount: byteCount)
  }

  var freeByteCount: Int? { base.freeByteCount }

  func copyIn(_ source: UnsafeRawBufferPointer, to memory: Memory) throws(DeviceError) {
    precondition(source.count <= memory.byteCount, "a copy to the device is larger than the block")
    try exclusively { () throws(DeviceError) in try base.copyIn(source, to: memory.base) }
  }

  func copyOut(_ memory: Memory, byteCount: Int) throws(DeviceError) -> Transfer {
    precondition(byteCount <= memory.byteCount, "a copy to the host is larger than the block")
    return try exclusively { () throws(DeviceError) in try base.copyOut(memory.base, byteCount: byteCount) }
  }

  func compile(_ programs: [ProgramSource]) -> [Result<CompiledProgram<Module>, DeviceError>] {
    base.compile(
      programs.map { program in
        precondition(program.kernels.allSatisfy(program.text.contains), "a program lacks a kernel that it names")
        var program = program
        program.text = alter(program.text)
        return program
      })
  }

  func record(_ launches: [Launch<Module>], loops: [LaunchLoop]) throws(DeviceError) -> Recording {
    for launch in launches {
      precondition(launch.groups > 0 && launch.localSize > 0, "\(launch.label) has no work-items")
      precondition(launch.localSize <= target.largestGroup, "\(launch.label): the work-group is too large")
      precondition(launch.localByteCount <= target.localByteCount, "\(launch.label): too much local memory")
    }
    for (outer, inner) in zip(loops, loops.dropFirst()) {
      precondition(outer.range.lowerBound <= inner.range.lowerBound, "an inner loop precedes the outer one")
    }
    return try exclusively { () throws(DeviceError) in
      Recording(try base.record(launches, loops: loops), launches, loops)
    }
  }

  func replay(_ recording: Recording, _ launches: Range<Int>, memories: [Memory]) throws(DeviceError) {
    precondition(launches.upperBound <= recording.launchCount, "launches out of range")
    precondition(memories.count >= recording.slotCount, "a slot has no memory")
    for loop in recording.loops where loop.range.overlaps(launches) {
      precondition(
        loop.range.lowerBound >= launches.lowerBound && loop.range.upperBound <= launches.upperBound,
        "a replay splits a loop")
    }
    let fails = state.withLock { state in
      defer { state.replaysLeft = state.replaysLeft.map { $0 - 1 } }
      return state.replaysLeft == 0
    }
    if fails { throw .outOfMemory(device: info.identifier, requested: 1, used: 0, available: 0) }
    try exclusively { () throws(DeviceError) in
      try base.replay(recording.base, launches, memories: memories.map(\.base))
    }
  }

  @discardableResult
  func synchronize(measuring: Bool) throws(DeviceError) -> [LaunchTime] {
    try exclusively { () throws(DeviceError) in try base.synchronize(measuring: measuring) }
  }
}
