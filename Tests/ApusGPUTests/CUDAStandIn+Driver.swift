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

  /// Makes the threads of each block run in ascending or descending order, from the next block on. A GPU has an order
  /// of its own.
  static func setOrder(isReversed: Bool) throws {
    if isReplaced { return }
    let library = try #require(dlopen("\(folder())/libcuda.so.1", RTLD_NOW))
    typealias Setter = @convention(c) (Int32) -> Void
    unsafeBitCast(try #require(dlsym(library, "stand_in_set_reverse")), to: Setter.self)(isReversed ? 1 : 0)
  }

  /// A driver of the first device.
  static func driver() throws -> CUDADriver {
    try CUDADriver(try #require(CUDAEntry.all(libraries()).first))
  }
}
