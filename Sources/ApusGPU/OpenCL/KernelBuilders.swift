import ApusDevice
import ApusSystem
import COpenCL
import Glibc
import Synchronization

/// Helper processes that build programs in parallel for PoCL, which builds one kernel at a time per process and caches
/// its builds on disk. Each helper process runs this executable, see `copencl_can_start_builders`.
///
/// Builders only save time: the driver itself builds all programs that they do not build in time.
final class KernelBuilders: Sendable {
  /// The time limit for building a program, in milliseconds.
  private static let buildTimeLimit: Int32 = 300_000

  /// The index of the device among the devices of all platforms.
  private let device: Int
  let count: Int
  /// The sockets of the builders. A builder exits when its socket is closed.
  private let builders = Mutex<[Int32]>([])

  /// Plans builders for a PoCL device, one per core but at most four; `build` starts their processes. Returns `nil` for
  /// other devices, for sub-devices and for the kernel class `gpu`. Also returns `nil` if there is a single core, if
  /// PoCL's cache is off, or if no helper process can start.
  init?(_ entry: OpenCLEntry, _ target: KernelTarget) {
    let cores = HostCores.count
    guard entry.part == nil, entry.platformText(CL_PLATFORM_NAME) == "Portable Computing Language",
      target.kernelClass == .cpu,
      Environment["POCL_KERNEL_CACHE"].map({ $0 != "0" }) ?? true, cores > 1,
      copencl_can_start_builders() != 0
    else { return nil }
    device = entry.index
    count = min(cores, 4)
  }

  deinit {
    builders.withLock { builders in
      for builder in builders { close(builder) }
    }
  }

  /// Sends one program to each builder, from the first program on, and waits for the results. Programs beyond `count`
  /// are left to the driver.
  /// - Returns: the number of programs that were built.
  func build(_ programs: [ProgramSource], options: String) -> Int {
    builders.withLock { builders in
      guard !programs.isEmpty else { return 0 }
      var used: [Int32] = []
      for program in programs.prefix(count) {
        // A builder that exited because it was idle is replaced.
        while used.count < builders.count, !send(program, options, to: builders[used.count]) {
          close(builders.remove(at: used.count))
        }
        if used.count == builders.count {
          startBuilders(&builders)
          guard used.count < builders.count, send(program, options, to: builders[used.count]) else { break }
        }
        used.append(builders[used.count])
      }
      let failed = used.filter { !receive(from: $0) }
      builders.removeAll { failed.contains($0) }
      return used.count - failed.count
    }
  }

  /// Starts all missing builders, so that the others load the compiler while the first one builds.
  private func startBuilders(_ builders: inout [Int32]) {
    while builders.count < count, let builder = start() { builders.append(builder) }
  }

  /// Returns the environment variables that a builder receives: only the language, the locations of programs, libraries
  /// and caches, and the settings of PoCL and of OpenCL loaders.
  static func needed(of environment: [String]) -> [String] {
    let names: Set = ["PATH", "HOME", "TMPDIR", "XDG_CACHE_HOME", "LD_LIBRARY_PATH", "LANG", "LC_ALL"]
    let prefixes = ["POCL_", "OCL_ICD_", "OPENCL_"]
    return environment.filter { variable in
      let name = variable.prefix { $0 != "=" }
      return names.contains(String(name)) || prefixes.contains(where: name.hasPrefix)
    }
  }

  private static var environment: [String] {
    var found: [String] = []
    var variable = environ
    while let text = variable.pointee {
      found.append(String(cString: text))
      variable += 1
    }
    return needed(of: found)
  }

  private func start() -> Int32? {
    var ends: [Int32] = [0, 0]
    let kind = Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue)
    guard socketpair(AF_UNIX, kind, 0, &ends) == 0 else { return nil }
    var environment = Self.environment.map { strdup($0) } + [nil]
    defer { for variable in environment { free(variable) } }
    var process: pid_t = 0
    let status = copencl_start_builder(ends[1], Int32(device), &environment, &process)
    close(ends[1])
    guard status == 0 else {
      close(ends[0])
      return nil
    }
    // The process that was started forks the builder and exits at once.
    while waitpid(process, nil, 0) < 0, errno == EINTR {}
    var limit = timeval(tv_sec: Int(Self.buildTimeLimit) / 1000, tv_usec: 0)
    setsockopt(ends[0], SOL_SOCKET, SO_SNDTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
    return ends[0]
  }

  private func send(_ program: ProgramSource, _ options: String, to builder: Int32) -> Bool {
    let options: [UInt8] = Array(options.utf8) + [0]
    let names = program.kernels.reduce(into: [UInt8]()) { $0 += Array($1.utf8) + [0] }
    let text: [UInt8] = Array(program.text.utf8) + [0]
    var job = COpenCLJob(
      local_size: 1, option_bytes: cl_uint(options.count), name_bytes: cl_uint(names.count),
      source_bytes: cl_uint(text.count))
    let bytes = withUnsafeBytes(of: &job) { Array($0) } + options + names + text
    var sent = 0
    while sent < bytes.count {
      let count = bytes[sent...].withUnsafeBytes {
        Glibc.send(builder, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
      }
      guard count > 0 else { return false }
      sent += count
    }
    return true
  }

  /// Waits for the answer. A builder that fails or does not answer in time is closed.
  private func receive(from builder: Int32) -> Bool {
    var input = pollfd(fd: builder, events: Int16(POLLIN), revents: 0)
    var status: Int32 = 0
    repeat { status = poll(&input, 1, Self.buildTimeLimit) } while status < 0 && errno == EINTR
    var answer: UInt8 = 0
    if status == 1, read(builder, &answer, 1) == 1, answer == 1 { return true }
    close(builder)
    return false
  }
}
