import Foundation

/// One run of the built command.
struct Invocation {
  let status: Int32
  let output: String
  let errors: String

  /// The lines of the output that are not empty.
  var lines: [Substring] { output.split(separator: "\n") }

  /// Runs `apus` with an empty standard input and, unless `environment` sets a cache folder, without a kernel cache.
  /// With a cache, the command would ask the driver for the binary of each kernel, and some drivers would build the
  /// kernel a second time to return the binary.
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

  /// Starts a run. Waits `seconds` seconds and, if `file` is given, until that file exists or the run has ended. Then
  /// sends the run a signal and waits for its end.
  static func stop(
    _ words: [String], _ signal: Int32, after seconds: Double = 0, file: String? = nil,
    environment: [String: String] = [:]
  ) throws -> Int32 {
    let process = Process()
    process.executableURL = Self.executable
    process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
    process.arguments = words
    process.standardOutput = FileHandle.nullDevice
    process.standardError = FileHandle.nullDevice
    // A process inherits the signals that its parent ignores. The tests ignore SIGINT if a shell started them in the
    // background, and SIGHUP if nohup started them.
    let before = [SIGINT, SIGHUP].map { ($0, Foundation.signal($0, SIG_DFL)) }
    try process.run()
    for (signal, action) in before { _ = Foundation.signal(signal, action) }
    Thread.sleep(forTimeInterval: seconds)
    while let file, process.isRunning, !FileManager.default.fileExists(atPath: file) {
      Thread.sleep(forTimeInterval: 0.01)
    }
    kill(process.processIdentifier, signal)
    // A process that ignores the signal must not block the tests forever.
    let deadline = Date(timeIntervalSinceNow: 60)
    while process.isRunning, Date() < deadline { Thread.sleep(forTimeInterval: 0.01) }
    if process.isRunning { kill(process.processIdentifier, SIGKILL) }
    process.waitUntilExit()
    return process.terminationStatus
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
