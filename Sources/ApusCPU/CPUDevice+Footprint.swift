import ApusDevice
import Glibc

extension CPUDevice {
  public func footprint(ofBuffer byteCount: Int) -> Int { Allocator.sizeClass(of: byteCount) }

  public func footprint(of plan: Plan) throws(DeviceError) -> PlanFootprint {
    let executable = try CPUExecutable(plan, loops: loops, threadCount: pool.threadCount, pairs: pairs, caches: caches)
    return PlanFootprint(
      perRun: plan.slabs, shared: executable.workspaceByteCounts + [executable.sharedByteCount])
  }

  /// The smaller of two numbers: the device's limit minus the used bytes, and the memory that the system has left plus
  /// the freed blocks that the device keeps for reuse. The system may have less than the limit, since other processes
  /// use its memory too. If the system does not report what it has left, the result is the first number.
  public var availableByteCount: Int {
    memory.available(limit: info.memoryByteCount, free: HostSystem.availableByteCount)
  }
}

extension HostSystem {
  /// The memory that the system can give to processes without swapping; `nil` if the system does not report it.
  static var availableByteCount: Int? {
    guard let text = String(systemFile: "/proc/meminfo") else { return nil }
    let line = text.split(separator: "\n").first { $0.hasPrefix("MemAvailable:") }
    let number = line?.split(whereSeparator: \.isWhitespace).dropFirst().first.flatMap { Int($0) }
    return number.map { $0 * 1024 }
  }
}
