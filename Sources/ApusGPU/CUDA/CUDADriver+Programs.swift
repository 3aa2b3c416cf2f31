import ApusDevice
import ApusSystem
import CCUDA
import Synchronization

extension CUDADriver {
  /// No option here lets the compiler change results, as `--use_fast_math` would. The kernels call `FMA` wherever a
  /// multiplication and an addition are to be fused, so the compiler must not fuse any others (`--fmad=false`).
  static func buildOptions(architecture: String) -> [String] {
    ["--std=c++17", "--fmad=false", "--gpu-architecture=\(architecture)"]
  }

  /// Loads programs from their stored binaries, and builds the programs whose binary is missing or does not load; all
  /// in parallel.
  func compile(_ programs: [ProgramSource]) -> [Result<CompiledProgram<Module>, DeviceError>] {
    let results = Mutex([Result<CompiledProgram<Module>, DeviceError>?](repeating: nil, count: programs.count))
    concurrentLoop(programs.count, threadCount: target.parallelBuilds) { [self] index in
      let result = Result { () throws(DeviceError) in try module(of: programs[index]) }
      results.withLock { $0[index] = result }
    }
    return results.withLock { $0 }.map { $0! }
  }

  private func module(of source: ProgramSource) throws(DeviceError) -> CompiledProgram<Module> {
    try enter()
    // `cuModuleLoadData` gets no size, so it could read past the end of bytes that are not a cubin.
    if let binary = source.binary, isELF(binary), let module = try? load(binary, source.name) {
      return CompiledProgram(module: module, origin: .binary)
    }
    return CompiledProgram(module: try load(try cubin(of: source), source.name), origin: .source)
  }

  private func load(_ cubin: [UInt8], _ name: String) throws(DeviceError) -> Module {
    var module: CUmodule?
    try checkMemory(api.cuModuleLoadData(&module, cubin), byteCount: cubin.count, "the load of \(name)")
    return Module(module!, cubin: cubin, context)
  }

  /// Compiles a program to device code of this device's instruction set.
  private func cubin(of source: ProgramSource) throws(DeviceError) -> [UInt8] {
    let compiler = entry.libraries.compiler
    var program: nvrtcProgram?
    guard compiler.nvrtcCreateProgram(&program, source.text, source.name, 0, nil, nil) == NVRTC_SUCCESS else {
      throw .launchFailed(
        device: info.identifier, kernel: "the build of \(source.name)", reason: "nvrtcCreateProgram failed")
    }
    defer { _ = compiler.nvrtcDestroyProgram(&program) }
    let options = Self.buildOptions(architecture: entry.architecture)
    let status = withCStrings(options) { compiler.nvrtcCompileProgram(program, Int32(options.count), $0) }
    guard status == NVRTC_SUCCESS else {
      throw .buildFailed(
        device: info.identifier, kernel: source.name, log: log(of: program) + "\n(NVRTC error \(status))")
    }
    var byteCount = 0
    _ = compiler.nvrtcGetCUBINSize(program, &byteCount)
    var cubin = [UInt8](repeating: 0, count: byteCount)
    let copied = cubin.withUnsafeMutableBytes {
      compiler.nvrtcGetCUBIN(program, $0.baseAddress?.assumingMemoryBound(to: CChar.self))
    }
    guard copied == NVRTC_SUCCESS, byteCount > 0 else {
      throw .buildFailed(device: info.identifier, kernel: source.name, log: "NVRTC produced no device code")
    }
    return cubin
  }

  private func log(of program: nvrtcProgram?) -> String {
    let compiler = entry.libraries.compiler
    var byteCount = 0
    guard compiler.nvrtcGetProgramLogSize(program, &byteCount) == NVRTC_SUCCESS, byteCount > 0 else {
      return "NVRTC has no log"
    }
    var bytes = [CChar](repeating: 0, count: byteCount)
    _ = compiler.nvrtcGetProgramLog(program, &bytes)
    return String(decoding: bytes.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }
}

/// Whether the bytes begin with a header of ELF, the format of cubins.
private func isELF(_ bytes: [UInt8]) -> Bool { bytes.count >= 64 && bytes.starts(with: [0x7F] + "ELF".utf8) }

/// Calls `body` with an array of C strings.
private func withCStrings<R>(_ texts: [String], _ body: (UnsafePointer<UnsafePointer<CChar>?>?) -> R) -> R {
  let strings = texts.map { Array($0.utf8CString) }
  func pass(_ rest: ArraySlice<[CChar]>, _ pointers: [UnsafePointer<CChar>?]) -> R {
    guard let first = rest.first else { return pointers.withUnsafeBufferPointer { body($0.baseAddress) } }
    return first.withUnsafeBufferPointer { pass(rest.dropFirst(), pointers + [$0.baseAddress]) }
  }
  return pass(strings[...], [])
}
