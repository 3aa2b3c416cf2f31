import ApusDevice
import COpenCL

extension OpenCLDriver {
  /// No option here lets the compiler change results, as `-cl-fast-relaxed-math` would. The kernel source turns off
  /// contraction, which would fuse multiplications with additions.
  static let buildOptions = "-cl-std=CL1.2"

  /// Loads the stored binaries. Helper processes, if there are any, then build the other programs, at most one each.
  /// The OpenCL platform stores these programs in its cache, where the builds in this process find them.
  func compile(_ programs: [ProgramSource]) -> [Result<CompiledProgram<Module>, DeviceError>] {
    let loaded = programs.map { $0.binary.flatMap(load) }
    let missing = zip(programs, loaded).compactMap { $1 == nil ? $0 : nil }
    var helped = builders?.build(missing, options: Self.buildOptions) ?? 0
    return zip(programs, loaded).map { program, module in
      if let module { return .success(CompiledProgram(module: module, origin: .binary)) }
      defer { helped -= 1 }
      return Result { () throws(DeviceError) in
        CompiledProgram(module: try build(program), origin: helped > 0 ? .helperProcess : .source)
      }
    }
  }

  private func build(_ source: ProgramSource) throws(DeviceError) -> Module {
    var status: cl_int = 0
    let program = source.text.withCString { pointer in
      var text: UnsafePointer<CChar>? = pointer
      return api.clCreateProgramWithSource(context, 1, &text, nil, &status)
    }
    guard let program else {
      throw OpenCLStatus(code: status).error(device: info.identifier, activity: "the build of \(source.name)")
    }
    let module = Module(program: program, api: entry.api)
    let result = buildStatus(of: program)
    guard result == CL_SUCCESS else {
      throw .buildFailed(
        device: info.identifier, kernel: source.name,
        log: buildLog(program) + "\n(\(OpenCLStatus(code: result)))")
    }
    return module
  }

  private func load(_ binary: [UInt8]) -> Module? {
    var device: cl_device_id? = entry.device
    var size = binary.count
    var status: cl_int = 0
    var entryStatus: cl_int = 0
    let program = binary.withUnsafeBufferPointer { bytes in
      var pointer = bytes.baseAddress
      return api.clCreateProgramWithBinary(context, 1, &device, &size, &pointer, &entryStatus, &status)
    }
    guard let program else { return nil }
    let module = Module(program: program, api: entry.api)
    return status == CL_SUCCESS && entryStatus == CL_SUCCESS && buildStatus(of: program) == CL_SUCCESS ? module : nil
  }

  private func buildStatus(of program: cl_program) -> cl_int {
    var device: cl_device_id? = entry.device
    return api.clBuildProgram(program, 1, &device, Self.buildOptions, nil, nil)
  }

  private func buildLog(_ program: cl_program) -> String {
    var size = 0
    let property = cl_program_build_info(CL_PROGRAM_BUILD_LOG)
    guard
      api.clGetProgramBuildInfo(program, entry.device, property, 0, nil, &size) == CL_SUCCESS, size > 0
    else { return "the driver has no build log" }
    var bytes = [UInt8](repeating: 0, count: size)
    _ = api.clGetProgramBuildInfo(program, entry.device, property, size, &bytes, nil)
    return String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
  }
}

extension OpenCLDriver.Module {
  var binary: [UInt8]? {
    let api = api.functions
    var size = 0
    let sizes = cl_program_info(CL_PROGRAM_BINARY_SIZES)
    guard api.clGetProgramInfo(program, sizes, MemoryLayout<Int>.size, &size, nil) == CL_SUCCESS, size > 0
    else { return nil }
    var bytes = [UInt8](repeating: 0, count: size)
    let status = bytes.withUnsafeMutableBufferPointer { buffer in
      var pointer = buffer.baseAddress
      return api.clGetProgramInfo(
        program, cl_program_info(CL_PROGRAM_BINARIES), MemoryLayout.size(ofValue: pointer), &pointer, nil)
    }
    return status == CL_SUCCESS ? bytes : nil
  }
}
