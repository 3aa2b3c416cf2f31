import ApusDevice
import ApusTestSupport
import COpenCL
import Foundation
import Testing

@testable import ApusGPU

@Suite struct KernelBuilderTests {
  @Test func buildersGetFewVariables() {
    let environment = [
      "PATH=/bin", "SECRET=1", "POCL_CACHE_DIR=/c", "LD_PRELOAD=x.so", "HOME=/h", "APUS_KERNEL_BUILDER=0", "POCL=2",
    ]
    #expect(KernelBuilders.needed(of: environment) == ["PATH=/bin", "POCL_CACHE_DIR=/c", "HOME=/h"])
  }

  /// A builder process, which compiles kernels, has only its socket, the files that it opens itself, and the
  /// environment variables that it needs.
  @Test(.enabled(if: Harness.isPoCL, "only PoCL uses kernel builders")) func buildersInheritNothing() throws {
    let scratch = try ScratchDirectory()
    let path = try scratch.write([1], to: "secret")
    // Neither descriptor has the close-on-exec flag, and the number of the second one is too large for loops that close
    // the first few thousand descriptors.
    let file = open(path, O_RDONLY)
    let high = fcntl(file, F_DUPFD, 5000)
    defer {
      close(file)
      if high >= 0 { close(high) }
    }
    var ends: [Int32] = [0, 0]
    #expect(socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0, &ends) == 0)
    let mark = "LANG=\(UUID().uuidString)"
    var variables = [strdup(mark), nil]
    defer { free(variables[0]) }
    var process: Int32 = 0
    #expect(copencl_start_builder(ends[1], 0, &variables, &process) == 0)
    close(ends[1])
    while waitpid(process, nil, 0) < 0, errno == EINTR {}
    let builder = try #require(started(mark))
    let files = try FileManager.default.contentsOfDirectory(atPath: "/proc/\(builder)/fd")
      .compactMap { try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/\(builder)/fd/\($0)") }
    #expect(!files.isEmpty && !files.contains(path), "\(files)")
    let environment = try Data(contentsOf: URL(filePath: "/proc/\(builder)/environ"))
    #expect(String(decoding: environment, as: UTF8.self) == mark + "\0")
    // The builder ends when its socket is closed.
    close(ends[0])
  }

  /// Returns the ID of a process with this variable in its environment; `nil` if no such process appears within 2
  /// seconds.
  private func started(_ mark: String) -> String? {
    for _ in 0..<200 {
      for process in (try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? [] where Int(process) != nil {
        let bytes = FileManager.default.contents(atPath: "/proc/\(process)/environ") ?? Data()
        if String(decoding: bytes, as: UTF8.self).contains(mark) { return process }
      }
      usleep(10_000)
    }
    return nil
  }
}
