import Foundation
import Testing

struct BenchTests {
  private func lines(_ arguments: String...) throws -> [[String: Any]] {
    let result = try Invocation(["bench"] + arguments + ["--json"])
    #expect(result.status == 0, "\(result.errors)")
    return try result.lines.map {
      try #require(JSONSerialization.jsonObject(with: Data($0.utf8)) as? [String: Any])
    }
  }

  private func number(_ line: [String: Any], _ key: String) throws -> Double {
    try #require(line[key] as? Double, "\(key) in \(line)")
  }

  @Test func productsOnTheCPU() throws {
    let lines = try lines("gemm", "--problem", "8x16x32,32x8x8", "--transpose", "NT", "--device", "cpu", "--runs", "2")
    #expect(lines.map { $0["problem"] as? String } == ["8x16x32", "32x8x8"])
    for line in lines {
      #expect(line["benchmark"] as? String == "gemm" && line["transpose"] as? String == "NT")
      #expect(line["device"] as? String == "cpu" && line["dtype"] as? String == "float32")
      #expect(line["runs"] as? Int == 2)
      #expect(try number(line, "min_ms") > 0 && number(line, "median_ms") >= number(line, "min_ms"))
      #expect(try number(line, "gflops") > 0)
    }
  }

  @Test func convolutionsAndOperationsOnTheCPU() throws {
    let passes = try lines("conv", "--problem", "N1C2H8W8K4R3S3P1", "--device", "cpu", "--runs", "1")
    #expect(passes.map { $0["pass"] as? String } == ["forward", "input", "weight"])
    #expect(passes.allSatisfy { $0["problem"] as? String == "N1C2H8W8K4R3S3P1U1D1G1" })
    let operations = try lines("ops", "--problem=exp-256x256", "--device=cpu", "--runs=1")
    #expect(operations.count == 1)
    #expect(try number(operations[0], "gbytes_per_second") > 0)
  }

  @Test func loaderReportsImagesPerSecond() throws {
    let result = try Invocation("bench", "loader", "--problem", "jpeg256-crop224", "--runs", "1", "--device", "cpu")
    #expect(result.status == 0 && result.lines.count == 2 && result.lines[1].contains("images/s"), "\(result.output)")
    let misspelt = try Invocation("bench", "loader", "--problem", "jpeg256-crop225")
    #expect(misspelt.status == 64 && misspelt.errors.contains("did you mean jpeg256-crop224?"), "\(misspelt.errors)")
    #expect(try Invocation("bench", "loader", "--pass", "all").status == 64)
  }

  @Test(arguments: ["float16", "bfloat16"]) func elementsOfHalfWidthOnTheCPU(dtype: String) throws {
    let problems = ["gemm": "8x16x32", "conv": "N1C2H8W8K4R3S3P1", "ops": "to-float16-256x256,exp-256x256"]
    for (kind, problem) in problems {
      let lines = try lines(kind, "--problem", problem, "--dtype", dtype, "--device", "cpu", "--runs", "1")
      #expect(lines.count == (kind == "ops" ? 2 : 3))
      #expect(lines.allSatisfy { $0["dtype"] as? String == dtype }, "\(lines)")
    }
  }

  @Test func unknownElementTypesAreRefusedAndStepsTakeNone() throws {
    let misspelt = try Invocation("bench", "gemm", "--dtype", "bfloat61")
    #expect(misspelt.status == 64 && misspelt.errors.contains("did you mean bfloat16?"), "\(misspelt.errors)")
    let step = try Invocation("bench", "step", "--dtype", "float16")
    #expect(step.status == 64 && step.errors.contains("is not for step"), "\(step.errors)")
    let integers = try Invocation("bench", "conv", "--dtype", "int8")
    #expect(integers.status == 64 && integers.errors.contains("only for gemm"), "\(integers.errors)")
  }

  /// Each workload runs in a separate process, so that other workloads affect neither the time of its first step nor
  /// its peak memory.
  @Test func stepsReportTimesAndPeakMemory() throws {
    let lines = try lines("step", "mlp-b128-adam,lenet5-b128-sgd", "--device", "cpu", "--runs", "1")
    #expect(lines.map { $0["problem"] as? String } == ["mlp-b128-adam", "lenet5-b128-sgd"])
    for line in lines {
      #expect(try 0..<60_000 ~= number(line, "first_step_ms") && number(line, "median_ms") > 0)
      #expect(try -1000..<10_000 ~= number(line, "other_batch_ms") && number(line, "peak_bytes") > 1e5)
      #expect(line["gflops"] == nil)
    }
  }

  @Test func theTableHasALineForEachMeasurement() throws {
    let result = try Invocation("bench", "gemm", "--problem", "8x8x8", "--device", "cpu", "--runs", "1")
    #expect(result.status == 0 && result.lines.count == 4)
    #expect(result.lines[0].contains("MEDIAN MS") && result.lines[1].contains("GFLOP/s"))
  }

  /// A missing device gives the same error for one workload and for several.
  @Test func aMissingDeviceIsTheSameErrorForSeveralSteps() throws {
    for workloads in ["lenet5-b128-sgd", "mlp-b128-adam,lenet5-b128-sgd"] {
      let result = try Invocation("bench", "step", workloads, "--device", "opencl:99", "--json")
      #expect(result.status == 69 && result.output.isEmpty)
      #expect(result.errors.contains("opencl:99"), "\(result.errors)")
    }
  }

  /// Runs of one matrix product with kernel caches in a temporary folder. `programs()` runs the product once, and
  /// returns the log lines that count the programs from the cache and the built programs.
  private struct CachedRuns {
    let folder = FileManager.default.temporaryDirectory.appending(path: "apus-built-\(UUID().uuidString)")

    init() throws {
      for name in ["pocl", "apus"] {
        try FileManager.default.createDirectory(at: folder.appending(path: name), withIntermediateDirectories: true)
      }
    }

    func programs() throws -> [String] {
      let result = try Invocation(
        "bench", "gemm", "--problem", "8x16x32", "--transpose", "NN", "--device", "opencl", "--runs", "1",
        environment: [
          "POCL_CACHE_DIR": folder.path + "/pocl", "XDG_CACHE_HOME": folder.path, "APUS_DEBUG": "1",
        ])
      #expect(result.status == 0, "\(result.errors)")
      return result.errors.split(separator: "\n").filter { $0.contains(" programs, ") }.map(String.init)
    }

    func remove() { try? FileManager.default.removeItem(at: folder) }
  }

  /// PoCL builds one kernel at a time per process, so Apus starts helper processes that build kernels in parallel. A
  /// second run builds nothing, because it finds the programs in the cache.
  @Test(
    .enabled(
      if: Invocation.isPoCL && ProcessInfo.processInfo.activeProcessorCount > 1,
      "only PoCL builds one kernel at a time, and helper processes need a second processor"))
  func helperProcessesBuildKernels() throws {
    let runs = try CachedRuns()
    defer { runs.remove() }
    let first = try runs.programs()
    #expect(!first.isEmpty && first.allSatisfy { $0.contains(" 1 built by helper processes") }, "\(first)")
    let second = try runs.programs()
    #expect(second.count == first.count && second.allSatisfy { $0.contains(" 1 from the cache, 0 built") }, "\(second)")
  }

  /// Processes that build the same programs concurrently leave complete cache entries.
  @Test func processesShareACache() throws {
    let runs = try CachedRuns()
    defer { runs.remove() }
    DispatchQueue.concurrentPerform(iterations: 3) { _ in
      #expect(throws: Never.self) { _ = try runs.programs() }
    }
    let last = try runs.programs()
    #expect(!last.isEmpty && last.allSatisfy { $0.contains(" 1 from the cache, 0 built") }, "\(last)")
  }
}
