import ApusTestSupport
import Foundation
import Testing

@testable import ApusGPU

extension CUDAStandIn {
  /// Whether the tests use the libraries of this machine, or those in `APUS_CUDA_PATH`, instead of the stand-in.
  static let isReplaced = TestDevice.areKindsChosen

  private static let opened = Result {
    try isReplaced ? CUDALibraries.open() : CUDALibraries(CUDASearch(cudaPath: [folder()]))
  }

  static func libraries() throws -> CUDALibraries { try opened.get() }

  /// How the threads of a block run. The results of a correct kernel do not depend on it.
  struct Mode: Equatable, CustomStringConvertible {
    /// Whether the threads run in descending order.
    var isReversed = false
    /// Whether asynchronous copies land as soon as they start, and not when a thread waits for them.
    var copiesLandAtOnce = false

    static let all = [false, true].flatMap { copies in
      [false, true].map { Mode(isReversed: $0, copiesLandAtOnce: copies) }
    }

    /// Two modes that differ in everything.
    static let opposites = [Mode(), Mode(isReversed: true, copiesLandAtOnce: true)]

    var description: String {
      "\(isReversed ? "descending" : "ascending") order, copies land \(copiesLandAtOnce ? "at once" : "late")"
    }
  }

  private static let modeLock = NSLock()

  /// Runs a function in each mode, and returns its results. Other tests can run kernels at the same time, in the same
  /// modes. On a GPU, modes have no effect.
  static func results<R>(in modes: [Mode], _ body: (Mode) throws -> R) throws -> [R] {
    try modeLock.withLock {
      defer { try? setMode(Mode()) }
      return try modes.map { mode in
        try setMode(mode)
        return try body(mode)
      }
    }
  }

  /// Sets how kernels run from the next block on.
  private static func setMode(_ mode: Mode) throws {
    if isReplaced { return }
    let library = try #require(dlopen("\(folder())/libcuda.so.1", RTLD_NOW))
    typealias Setter = @convention(c) (Int32) -> Void
    for (name, value) in [("stand_in_set_reverse", mode.isReversed), ("stand_in_set_copies", mode.copiesLandAtOnce)] {
      unsafeBitCast(try #require(dlsym(library, name)), to: Setter.self)(value ? 1 : 0)
    }
  }

  /// Starts a kernel with a pointer `result` to 256 bytes of zeros, in one group of 32 work-items.
  static func start(body: String, on driver: CUDADriver) throws -> [CUDADriver.Memory] {
    let kernel = KernelSource(
      family: "fault", parameters: [KernelParameter("GLOBAL int *", "result")], body: body, for: .gpu, localSize: 32)
    let text = KernelPrelude.dialect(of: driver.target) + kernel.text
    let source = ProgramSource(name: kernel.name, text: text, kernels: [kernel.name])
    let launch = Launch(
      module: try driver.compile([source])[0].get().module, kernel: kernel.name, label: "a fault", slots: [0, 1],
      geometryOffset: 0, groups: 1, localSize: 32, localByteCount: 0, tag: 0)
    let memories = try (0..<2).map { _ in try driver.allocate(byteCount: 256) }
    let recording = try driver.record([launch], loops: [])
    try driver.replay(recording, 0..<1, memories: memories)
    return memories
  }

  /// A driver of the first device.
  static func driver() throws -> CUDADriver {
    try CUDADriver(try #require(CUDAEntry.all(libraries()).first))
  }
}
