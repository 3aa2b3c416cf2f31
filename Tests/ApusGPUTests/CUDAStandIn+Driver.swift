import ApusTestSupport
import Glibc
import Testing

@testable import ApusGPU

extension CUDAStandIn {
  private static let opened = Result { try CUDALibraries(CUDASearch(cudaPath: [folder()])) }

  static func libraries() throws -> CUDALibraries { try opened.get() }

  /// Makes the threads of each block run in ascending or descending order, from the next block on.
  static func setOrder(isReversed: Bool) throws {
    let library = try #require(dlopen("\(folder())/libcuda.so.1", RTLD_NOW))
    typealias Setter = @convention(c) (Int32) -> Void
    unsafeBitCast(try #require(dlsym(library, "stand_in_set_reverse")), to: Setter.self)(isReversed ? 1 : 0)
  }

  /// A driver of the first device.
  static func driver() throws -> CUDADriver {
    try CUDADriver(try #require(CUDAEntry.all(libraries()).first))
  }
}
