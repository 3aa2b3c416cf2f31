import ApusTestSupport
import Foundation
import Testing

@testable import ApusGPU

/// The stand-ins for the CUDA driver and NVRTC (Tests/CUDAStandIn), built once for the test process.
enum CUDAStandIn {
  private static let built = Result {
    let folder = try ScratchDirectory()
    let script = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .appending(path: "CUDAStandIn/build")
    let process = Process()
    process.executableURL = script
    process.arguments = [folder.path]
    let pipe = Pipe()
    process.standardError = pipe
    try process.run()
    let output = String(decoding: pipe.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
    process.waitUntilExit()
    try #require(process.terminationStatus == 0, "\(output)")
    return folder
  }

  /// The folder of the libraries.
  static func folder() throws -> String { try built.get().path }

  private static let opened = Result { try CUDALibraries(CUDASearch(cudaPath: [folder()])) }

  static func libraries() throws -> CUDALibraries { try opened.get() }

  /// A driver of the first device.
  static func driver() throws -> CUDADriver {
    try CUDADriver(try #require(CUDAEntry.all(libraries()).first))
  }
}
