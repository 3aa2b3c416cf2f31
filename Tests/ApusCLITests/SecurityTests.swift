import ApusTestSupport
import Foundation
import Testing

struct SecurityTests {
  private let files = FileManager.default

  /// Environment variables, which a user may set, do not turn the command into a helper process that builds kernels.
  @Test func theCommandIsNoBuilder() throws {
    let plain = try Invocation("devices", "--json")
    let set = try Invocation("devices", "--json", environment: ["APUS_KERNEL_BUILDER": "0"])
    #expect(set.status == 0 && set.output == plain.output && !plain.output.isEmpty)
  }

  private func bench(_ home: String, _ environment: [String: String] = [:]) throws -> Invocation {
    try Invocation(
      ["bench", "gemm", "--problem", "8x8x8", "--device", "opencl", "--runs", "1"],
      environment: ["POCL_CACHE_DIR": ""].merging(environment) { $1 }.merging(["HOME": home]) { $1 })
  }

  private func mode(_ path: String) throws -> Int? {
    try files.attributesOfItem(atPath: path)[.posixPermissions] as? Int
  }

  @Test(arguments: ["cpu", "opencl"]) func aNegativeLimitOfCachedMemoryIsRefused(device: String) throws {
    let words = ["bench", "gemm", "--problem", "8x8x8", "--device", device, "--runs", "1"]
    let run = try Invocation(words, environment: ["APUS_CACHED_MEMORY": "-1"])
    let message = "APUS_CACHED_MEMORY is \"-1\"; it must be a number of MiB from 0 to"
    #expect(run.status == 69 && run.errors.contains(message), "\(run.errors)")
    #expect(try Invocation(words, environment: ["APUS_CACHED_MEMORY": "0"]).status == 0)
  }

  /// PoCL executes the binaries in its cache, so other users must not be able to write there.
  @Test(.enabled(if: Invocation.isPoCL, "only PoCL has this cache")) func theCacheOfPoCLIsPrivate() throws {
    let home = try ScratchDirectory()
    #expect(try bench(home.path).status == 0)
    let folder = home.file(".cache/apus/pocl")
    #expect(try mode(folder) == 0o700 && !files.contentsOfDirectory(atPath: folder).isEmpty)
    #expect(!files.fileExists(atPath: home.file(".cache/pocl")))

    let other = try ScratchDirectory()
    let own = other.file("own")
    try files.createDirectory(atPath: own, withIntermediateDirectories: true)
    #expect(try bench(other.path, ["POCL_CACHE_DIR": own]).status == 0)
    #expect(
      try !files.contentsOfDirectory(atPath: own).isEmpty && !files.fileExists(atPath: other.file(".cache/apus/pocl")))
  }

  @Test(.enabled(if: Invocation.isPoCL, "only PoCL has this cache"))
  func aCacheThatOthersCanWriteToIsNotUsed() throws {
    let home = try ScratchDirectory()
    let cache = home.file(".cache/apus")
    try files.createDirectory(atPath: cache, withIntermediateDirectories: true)
    chmod(cache, 0o777)
    let run = try bench(home.path)
    #expect(run.status == 0 && run.errors.contains("kernels are not cached: \(cache)"), "\(run.errors)")
    #expect(try files.contentsOfDirectory(atPath: cache).isEmpty)
  }

  /// Control characters in a path, or in a column name that was read from a file, do not reach the terminal. Long messages
  /// are cut.
  @Test func messagesAreEscapedAndCut() throws {
    let scratch = try ScratchDirectory()
    let column = "\u{1B}[31mtitle\u{7}\u{202E}" + String(repeating: "c", count: 900_000)
    let path = try scratch.write(Array("\(column),\(column)\n1,2\n".utf8), to: "a\u{1B}[2J.csv")
    let run = try Invocation("train", "mlp", "--data", "csv:\(path)", "--output", scratch.file("run"))
    #expect(run.status == 65 && run.errors.contains("two columns are named \"\\u{1B}[31mtitle\\u{7}\\u{202E}ccc"))
    #expect(run.errors.utf8.count < 2000 && !run.errors.utf8.contains(0x1B) && !run.errors.contains("\u{202E}"))
  }
}
