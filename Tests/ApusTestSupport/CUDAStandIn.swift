import Foundation
import Testing

/// The stand-ins for the CUDA driver and NVRTC (Tests/CUDAStandIn), which are built when a test process first needs
/// them.
public enum CUDAStandIn {
  private static let built = Result {
    // A process that a test starts uses the libraries of the test process.
    let folder = try #require(ProcessInfo.processInfo.environment["APUS_TEST_FOLDER"]) + "/cuda-stand-in"
    let files = FileManager.default
    guard !files.fileExists(atPath: folder) else { return folder }
    let tests = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    let process = Process()
    process.executableURL = tests.appending(path: "CUDAStandIn/build")
    // Another process may build the libraries at the same time, so the folder gets its final name only when it is
    // complete.
    let incomplete = "\(folder)-\(ProcessInfo.processInfo.processIdentifier)"
    process.arguments = [incomplete]
    let pipe = Pipe()
    process.standardError = pipe
    try process.run()
    let output = String(decoding: pipe.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
    process.waitUntilExit()
    try #require(process.terminationStatus == 0, "\(output)")
    do { try files.moveItem(atPath: incomplete, toPath: folder) } catch {
      try files.removeItem(atPath: incomplete)
      guard files.fileExists(atPath: folder) else { throw error }
    }
    return folder
  }

  /// The folder of the libraries.
  public static func folder() throws -> String { try built.get() }
}
