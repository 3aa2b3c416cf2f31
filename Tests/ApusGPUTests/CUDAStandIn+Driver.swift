import ApusTestSupport
import Glibc
import Testing

@testable import ApusGPU

extension CUDAStandIn {
  /// Whether the tests use the libraries of this machine, or those in `APUS_CUDA_PATH`, instead of the stand-in.
  static let isReplaced = TestDevice.areKindsChosen

  private static let opened = Result {
    try isReplaced ? CUDALibraries.open() : CUDALibraries(CUDASearch(cudaPath: [folder()]))
  }

  static func libraries() throws -> CUDALibraries { try opened.get() }

  /// The order in which the stand-in runs the threads of a block, and when it completes asynchronous copies. The
  /// results of a correct kernel do not depend on the mode.
  struct Mode: Equatable, CustomStringConvertible {
    /// Whether the threads run in descending order. Pending TMA loads then complete in reverse order, and the elected
    /// lane is the last one of the warp.
    var isReversed = false
    /// Whether asynchronous copies and wgmma products complete as soon as they start, and not when a thread waits for
    /// them.
    var copiesLandAtOnce = false

    static let all = [false, true].flatMap { copies in
      [false, true].map { Mode(isReversed: $0, copiesLandAtOnce: copies) }
    }

    /// The default mode, and the mode that differs from it in both settings.
    static let opposites = [Mode(), Mode(isReversed: true, copiesLandAtOnce: true)]

    var description: String {
      "\(isReversed ? "descending" : "ascending") order, copies land \(copiesLandAtOnce ? "at once" : "late")"
    }
  }

  /// Runs a function in each mode, and returns its results. Kernels that other tests run at the same time run in the
  /// same mode. On a GPU, modes have no effect.
  @DeviceThread static func results<R>(in modes: [Mode], _ body: (Mode) throws -> R) throws -> [R] {
    defer { try? setMode(Mode()) }
    return try modes.map { mode in
      try setMode(mode)
      return try body(mode)
    }
  }

  /// Sets the mode of all blocks that the stand-in starts from now on.
  private static func setMode(_ mode: Mode) throws {
    if isReplaced { return }
    let library = try #require(dlopen("\(folder())/libcuda.so.1", RTLD_NOW))
    typealias Setter = @convention(c) (Int32) -> Void
    for (name, value) in [("stand_in_set_reverse", mode.isReversed), ("stand_in_set_copies", mode.copiesLandAtOnce)] {
      unsafeBitCast(try #require(dlsym(library, name)), to: Setter.self)(value ? 1 : 0)
    }
  }

  /// Starts a kernel in one work-group of 32 work-items. Its argument `result` points to 256 bytes of uninitialized
  /// global memory.
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
