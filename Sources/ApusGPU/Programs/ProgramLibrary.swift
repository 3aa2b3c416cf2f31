import ApusDevice
import ApusSystem
import Kernels
import Synchronization

/// A kernel parameter. `type` is all text before the name, including the space or `*` at its end.
struct KernelParameter {
  var type: String
  var name: String

  init(_ type: String, _ name: String) {
    self.type = type
    self.name = name
  }
}

/// The source of one kernel. Kernels with equal source have equal names.
struct KernelSource: Hashable, Sendable {
  var name: String
  var text: String

  /// Creates a kernel of `family` from its parameters and body. Its name is the family and a digest.
  ///
  /// A CPU kernel only calls an outlined function: PoCL creates three entry points per kernel and would compile the
  /// body three times. The kernel does nothing if `at`, the offset of its extents and strides in the buffer `geometry`,
  /// is negative. A helper process makes PoCL compile the kernel by launching it with a negative offset.
  /// - Parameters:
  ///   - tensorMapCount: the number of tensor maps (for TMA), which are the last parameters: `m0`, `m1` and so on.
  ///   - localSize: the number of work-items in a work-group of a GPU kernel; the compiler may rely on it.
  ///   - fillsRegisters: whether a GPU kernel needs many registers. One group may then use all registers of a
  ///     multiprocessor.
  ///   - usesSubgroups: whether a GPU kernel reads registers of other work-items (shuffles).
  init(
    family: String, parameters: [KernelParameter], tensorMapCount: Int = 0, body: String,
    for kernelClass: KernelTarget.Class,
    localSize: Int = 1, fillsRegisters: Bool = false, usesSubgroups: Bool = false
  ) {
    let all =
      parameters + [KernelParameter("GLOBAL const i64 *", "geometry"), KernelParameter("int ", "at")]
      + (0..<tensorMapCount).map { KernelParameter("TENSOR_MAP ", "m\($0)") }
    let list = all.map { $0.type + $0.name }.joined(separator: ", ")
    let body = "{\n  geometry += at;\n\(body)}\n"
    let bounds = kernelClass == .gpu ? "\(fillsRegisters ? "REGISTER_" : "")GROUP_SIZE(\(localSize)) " : ""
    let digest = SHA256.hexadecimal(of: Array((bounds + list + body).utf8))
    name = "\(family)_\(String(digest.prefix(10)))"
    switch kernelClass {
    case .gpu:
      text = "KERNEL \(bounds)\(usesSubgroups ? "SUBGROUPS " : "")void \(name)(\(list)) \(body)"
    case .cpu:
      let names = all.map { $0.name }.joined(separator: ", ")
      text = """
        OUTLINED void \(name)_group(\(list), i64 group_id) \(body)
        KERNEL void \(name)(\(list)) { if (at >= 0) \(name)_group(\(names), get_group_id(0)); }

        """
    }
  }
}

/// The built programs of a device, in this process and on disk. A program here is compiled kernel source, not the
/// elementwise `Program` of a step.
///
/// Kernels are looked up by their source, so that plans of the same structure share them. Each build also compiles the
/// prelude (the functions that kernels call). So the missing kernels of a plan are built as one program, or as a few
/// programs if the driver builds in parallel.
final class ProgramLibrary<Driver: GPUDriver>: Sendable {
  private final class Program: @unchecked Sendable {
    let module: Driver.Module
    let key: String
    let kernelCount: Int
    /// The size of the stored binary. A driver may finish building a kernel only at its first launch. The binary then
    /// grows and is stored again.
    var storedSize = 0
    /// Whether a plan that uses the program runs repeatedly.
    var isRepeated = false

    init(module: Driver.Module, key: String, kernelCount: Int) {
      self.module = module
      self.key = key
      self.kernelCount = kernelCount
    }
  }

  /// The minimum time between two writes of programs to disk while the process runs, in seconds.
  private static var storageDelay: Double { 30 }
  /// The time limit for storing programs at exit, in seconds.
  private static var exitTimeLimit: Double { 10 }

  private let driver: Driver
  private let options: GPUOptions
  private let store: ProgramStore?
  private let state = Mutex(State())
  /// Locked while programs are written to the disk.
  private let storing = Mutex(())

  private struct State {
    var programs: [KernelSource: Program] = [:]
    /// The programs to store. A program is added when a plan that uses it runs for the first time.
    var pending: [Program] = []
    var pendingSince: Double?
    /// Whether a failure to write kernel source was reported; it is reported once.
    var hasWarned = false
    var buildCount = 0
  }

  /// The number of programs that were built from source, by the driver or by helper processes.
  var buildCount: Int { state.withLock { $0.buildCount } }

  init(driver: Driver, options: GPUOptions, store: ProgramStore?) {
    self.driver = driver
    self.options = options
    self.store = store
  }

  /// Returns the modules that contain the given kernels.
  /// - Throws: `DeviceError.buildFailed` with the name of the first kernel that fails to build on its own.
  func modules(for kernels: [KernelSource]) throws(DeviceError) -> [Driver.Module] {
    try state.withLock { state throws(DeviceError) -> [Driver.Module] in
      var missing: [KernelSource] = []
      var seen: Set<KernelSource> = []
      for kernel in kernels where state.programs[kernel] == nil && seen.insert(kernel).inserted {
        missing.append(kernel)
      }
      let parts = parts(of: missing.sortedArray { $0.name < $1.name })
      if !parts.isEmpty { try build(parts, &state) }
      return kernels.map { state.programs[$0]!.module }
    }
  }

  private func build(_ parts: [[KernelSource]], _ state: inout State) throws(DeviceError) {
    let began = ContinuousClock.seconds
    let texts = parts.map(text)
    let keys = texts.map { ProgramStore.key(of: driver.target.fingerprint + [$0]) }
    for (text, key) in zip(texts, keys) { keep(text, key: key, &state) }
    let sources = zip(parts, zip(texts, keys)).map { part, source in
      ProgramSource(
        name: part.count == 1 ? part[0].name : "\(part.count) kernels", text: source.0, kernels: part.map(\.name),
        binary: store?.read(key: source.1))
    }
    let results = driver.compile(sources)
    for (index, part) in parts.enumerated() {
      let compiled: CompiledProgram<Driver.Module>
      do throws(DeviceError) { compiled = try results[index].get() } catch { throw failure(error, of: part) }
      let program = Program(module: compiled.module, key: keys[index], kernelCount: part.count)
      if compiled.origin == .binary {
        program.storedSize = sources[index].binary?.count ?? 0
      } else {
        state.buildCount += 1
      }
      for kernel in part { state.programs[kernel] = program }
    }
    if options.logsLaunches {
      let origins = results.compactMap { try? $0.get().origin }
      let time = (ContinuousClock.seconds - began) * 1000
      warn(
        "\(driver.info.identifier): \(parts.joined().count) kernels in \(parts.count) programs, "
          + "\(origins.count { $0 == .binary }) from the cache, \(origins.count { $0 == .helperProcess }) built by helper "
          + "processes · \(time.text(places: 0)) ms")
    }
  }

  private func text(of kernels: [KernelSource]) -> String {
    KernelPrelude.text(for: driver.target) + kernels.map(\.text).joined(separator: "\n")
  }

  /// Records that the kernels of a plan ran for the first time or, with `isRepeated`, that they run repeatedly.
  func noteRun(of kernels: [KernelSource], isRepeated: Bool) {
    guard store != nil else { return }
    state.withLock { state in
      for kernel in kernels {
        guard let program = state.programs[kernel] else { continue }
        if isRepeated { program.isRepeated = true }
        if !isRepeated, !state.pending.contains(where: { $0 === program }) { state.pending.append(program) }
      }
      if state.pendingSince == nil, !state.pending.isEmpty {
        state.pendingSince = ContinuousClock.seconds
        BackgroundWork.deferUntilFinish {
          let deadline = ContinuousClock.seconds + Self.exitTimeLimit
          self.storePending(while: { ContinuousClock.seconds < deadline }) { _ in true }
        }
      }
    }
  }

  /// Writes to disk the programs that run repeatedly, at most once every `storageDelay` seconds.
  ///
  /// To return a binary, some drivers build every kernel again and block launches meanwhile. So programs are stored at
  /// the end of the process or, if a long-running process runs them repeatedly, on a background thread.
  func storeUsed() {
    let isDue = state.withLock { state in
      guard !state.pending.isEmpty, let since = state.pendingSince else { return false }
      let isDue = ContinuousClock.seconds - since > Self.storageDelay
      if isDue { state.pendingSince = ContinuousClock.seconds }
      return isDue
    }
    guard isDue else { return }
    BackgroundWork.start { self.storePending(while: { !BackgroundWork.isEnding }) { $0.isRepeated } }
  }

  /// Writes to disk the pending programs that satisfy `condition`, the programs with the most kernels first. Once
  /// `hasTime` returns false, the programs that are not yet written stay pending.
  private func storePending(while hasTime: () -> Bool, where condition: (Program) -> Bool) {
    storing.withLock { _ in
      let programs = state.withLock { state in
        defer { state.pending.removeAll(where: condition) }
        return state.pending.filter(condition).sortedArray { $0.kernelCount > $1.kernelCount }
      }
      guard let store else { return }
      for (index, program) in programs.enumerated() {
        guard hasTime() else {
          state.withLock { $0.pending += programs[index...] }
          return
        }
        guard let binary = program.module.binary, binary.count != program.storedSize else {
          continue
        }
        store.write(binary, key: program.key)
        program.storedSize = binary.count
      }
    }
  }

  /// Splits kernels into programs: one, or several if the driver builds in parallel and there are at least 8 kernels.
  private func parts(of kernels: [KernelSource]) -> [[KernelSource]] {
    let count = min(driver.target.parallelBuilds, kernels.count / 4)
    guard count > 1 else { return kernels.isEmpty ? [] : [kernels] }
    return (0..<count).map { part in stride(from: part, to: kernels.count, by: count).map { kernels[$0] } }
  }

  /// Returns the error of the first kernel that fails to build on its own. If every kernel builds on its own, returns
  /// `error`, the error of the program with all of them.
  private func failure(_ error: DeviceError, of kernels: [KernelSource]) -> DeviceError {
    guard kernels.count > 1 else { return error }
    for kernel in kernels {
      let source = ProgramSource(name: kernel.name, text: text(of: [kernel]), kernels: [kernel.name])
      if case .failure(let error) = driver.compile([source])[0] { return error }
    }
    return error
  }

  /// Writes the source to the folder that the environment variable `APUS_KEEP_KERNELS` names, if the variable is set.
  private func keep(_ text: String, key: String, _ state: inout State) {
    guard let directory = options.kernelDirectory else { return }
    do throws(FileError) {
      try FileSystem.createDirectory(directory)
      let name = "\(key.prefix(16)).\(driver.target.dialect.fileExtension)"
      try AtomicFile.write(Array(text.utf8), to: "\(directory)/\(name)")
    } catch {
      if !state.hasWarned { warn("APUS_KEEP_KERNELS: \(error)") }
      state.hasWarned = true
    }
  }
}
