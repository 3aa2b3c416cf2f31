import Foundation

/// One run of the built command.
struct Invocation {
  let status: Int32
  let output: String
  let errors: String

  /// The lines of the output that are not empty.
  var lines: [Substring] { output.split(separator: "\n") }

  /// Runs `apus` with an empty standard input and without a kernel cache. With a cache, the command would ask the
  /// driver for the binary of each kernel, and some drivers would build the kernel a second time to return the binary.
  init(
    _ arguments: [String], in directory: String? = nil, environment: [String: String] = [:], output path: String? = nil
  ) throws {
    let process = Process()
    if let directory { process.currentDirectoryURL = URL(filePath: directory) }
    process.executableURL = Self.executable
    process.arguments = arguments
    let own = ["XDG_CACHE_HOME": "", "HOME": ""]
    process.environment = ProcessInfo.processInfo.environment.merging(own) { $1 }.merging(environment) { $1 }
    process.standardInput = FileHandle.nullDevice
    let (output, errors) = (Pipe(), Pipe())
    process.standardOutput = try path.map { try FileHandle(forWritingTo: URL(filePath: $0)) } ?? output
    process.standardError = errors
    try process.run()
    // Reads both pipes at the same time: a full pipe would block the command.
    let reader = Reader(errors.fileHandleForReading)
    let text = path == nil ? output.fileHandleForReading.readDataToEndOfFile() : Data()
    self.output = String(decoding: text, as: UTF8.self)
    self.errors = String(decoding: reader.finish(), as: UTF8.self)
    process.waitUntilExit()
    status = process.terminationReason == .exit ? process.terminationStatus : 128 + process.terminationStatus
  }

  init(_ arguments: String..., environment: [String: String] = [:], output path: String? = nil) throws {
    try self.init(arguments, environment: environment, output: path)
  }

  /// The command, which is in the folder of the test executable.
  static var executable: URL {
    URL(filePath: "/proc/self/exe").resolvingSymlinksInPath().deletingLastPathComponent()
      .appending(path: "apus")
  }

  /// Whether the OpenCL device is PoCL's. Some tests make a device fail by environment variables that only PoCL has.
  static let isPoCL = (try? Invocation("devices").output.contains("Portable Computing Language")) ?? false

  /// Reads a pipe to its end on another thread.
  private final class Reader: @unchecked Sendable {
    private var data = Data()
    private let done = DispatchSemaphore(value: 0)

    init(_ handle: FileHandle) {
      Thread.detachNewThread { [self] in
        data = handle.readDataToEndOfFile()
        done.signal()
      }
    }

    func finish() -> Data {
      done.wait()
      return data
    }
  }
}
