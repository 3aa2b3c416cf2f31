import ApusDevice
import ApusTestSupport
import Foundation
import Testing

@testable import ApusGPU

/// The search for the CUDA driver and NVRTC. The tests search for stand-ins: libraries with the same names and
/// functions, which are built from `Tests/CUDAStandIn`.
struct CUDALibrariesTests {
  private func failure(_ search: CUDASearch) throws -> String {
    "\(try #require(throws: DeviceError.self) { try CUDALibraries(search) })"
  }

  /// A folder with one of the libraries, or with neither.
  private func folder(with name: String?) throws -> ScratchDirectory {
    // The dynamic loader keeps the path from which it first loaded a library. So load the stand-ins from their
    // permanent folder before a test loads them through a temporary link.
    _ = try CUDAStandIn.libraries()
    let folder = try ScratchDirectory()
    if let name {
      try FileManager.default.createSymbolicLink(
        atPath: folder.file(name), withDestinationPath: "\(CUDAStandIn.folder())/\(name)")
    }
    return folder
  }

  @Test func librariesAreFound() throws {
    let libraries = try CUDAStandIn.libraries()
    #expect(libraries.driverVersion == 13000 && libraries.compilerVersion == 13000)
    #expect(libraries.compilerPath == "\(try CUDAStandIn.folder())/libnvrtc.so.13")
  }

  @Test(.enabled("a driver is installed") { !FileManager.default.fileExists(atPath: "/dev/nvidiactl") })
  func aMissingDriverIsExplained() throws {
    let empty = try folder(with: nil)
    let text = try withExtendedLifetime(empty) { try failure(CUDASearch(cudaPath: [empty.path])) }
    #expect(text.contains("\(empty.path)/libcuda.so.1"))
    #expect(text.contains("install NVIDIA's driver") && text.contains("APUS_CUDA_PATH"))
    #expect(!text.contains("\n"))
  }

  @Test func aMissingCompilerIsExplained() throws {
    let driverOnly = try folder(with: "libcuda.so.1")
    let text = try withExtendedLifetime(driverOnly) { try failure(CUDASearch(cudaPath: [driverOnly.path])) }
    #expect(text.contains("the driver supports CUDA 13.0") && text.contains("pip install nvidia-cuda-nvrtc"))
    #expect(!text.contains("\n"))
  }

  @Test func foldersAreAbsolute() throws {
    for folder in ["", ".", "lib", "~/lib"] {
      let text = try failure(CUDASearch(cudaPath: ["/usr/lib", folder]))
      #expect(text.contains("\"\(folder)\"") && text.contains("absolute"))
    }
  }

  /// The packages of a virtual environment come before the packages of the Python installation from which the
  /// environment was created.
  @Test func compilersOfPythonPackagesAreFound() throws {
    let root = try ScratchDirectory()
    let manager = FileManager.default
    for (folder, package) in [("venv", "nvidia/cu13/lib"), ("system", "nvidia/cuda_nvrtc/lib")] {
      let packages = root.file("\(folder)/lib/python3.12/site-packages")
      try manager.createDirectory(atPath: "\(packages)/\(package)", withIntermediateDirectories: true)
      try manager.createDirectory(atPath: root.file("\(folder)/bin"), withIntermediateDirectories: true)
    }
    let system = root.file("system/bin/python3")
    try Data("#!/bin/sh\n".utf8).write(to: URL(filePath: system))
    try manager.setAttributes([.posixPermissions: 0o755], ofItemAtPath: system)
    try manager.createSymbolicLink(atPath: root.file("venv/bin/python3"), withDestinationPath: system)
    let search = CUDASearch(programPath: ["bin", root.file("venv/bin"), root.file("system/bin")])
    let paths = try search.compilerPaths(major: 13).filter { $0.hasPrefix(root.path) }
    #expect(
      paths == [
        root.file("venv/lib/python3.12/site-packages/nvidia/cu13/lib/libnvrtc.so.13"),
        root.file("venv/lib/python3.12/site-packages/nvidia/cu13/lib/libnvrtc.so.12"),
        root.file("system/lib/python3.12/site-packages/nvidia/cuda_nvrtc/lib/libnvrtc.so.13"),
        root.file("system/lib/python3.12/site-packages/nvidia/cuda_nvrtc/lib/libnvrtc.so.12"),
      ])
  }

  @Test func devicesAreDescribed() throws {
    let entry = try #require(try CUDAEntry.all(CUDAStandIn.libraries()).first)
    #expect(entry.identifier == "cuda:0" && entry.info.kind == .cuda && entry.architecture == "sm_90a")
    #expect(entry.info.driver == "CUDA 13.0, NVRTC 13.0, compute capability 9.0")
  }
}
