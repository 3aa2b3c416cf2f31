import ApusTestSupport
import Testing

@testable import ApusGPU

extension CUDAStandIn {
  private static let opened = Result { try CUDALibraries(CUDASearch(cudaPath: [folder()])) }

  static func libraries() throws -> CUDALibraries { try opened.get() }

  /// A driver of the first device.
  static func driver() throws -> CUDADriver {
    try CUDADriver(try #require(CUDAEntry.all(libraries()).first))
  }
}
