import ApusTestSupport
import Foundation
import Testing

@testable import ApusGPU

/// Whether `.ci/sanitize-kernels` runs the tests.
private let isSanitized = ProcessInfo.processInfo.environment["STAND_IN_SANITIZE"] == "address"

/// How a process ends after a report of the sanitizer: with the exit status that `.ci/sanitize-kernels` sets.
private let reported = ExitTest.Condition.exitCode(99)

/// Faults of kernels that the address sanitizer finds on the stand-in for CUDA. Each test runs a kernel in a separate
/// process, because the sanitizer ends the process after its report.
@Suite(.enabled(if: isSanitized, "`.ci/sanitize-kernels` runs these tests")) struct KernelSanitizerTests {
  /// Runs `body` as a kernel with a pointer `result` to 64 ints, all 0, in one group of 32 work-items.
  private static func run(_ body: String) throws {
    let driver = try CUDAStandIn.driver()
    let memories = try CUDAStandIn.start(body: body, on: driver)
    try withExtendedLifetime(memories) { _ = try driver.synchronize(measuring: false) }
  }

  private static func expect(_ words: String, in result: ExitTest.Result) {
    let text = String(decoding: result.standardErrorContent, as: UTF8.self)
    #expect(text.contains("AddressSanitizer: \(words)"), "\(text)")
  }

  @Test func correctKernelsRun() async throws {
    await #expect(processExitsWith: .success) {
      try KernelSanitizerTests.run(
        """
          LOCAL_ARRAY(int, values, 32);
          int own[4];
          for (int i = 0; i < 4; i += 1) own[(i + result[0]) % 4] = i;
          values[LOCAL_ID()] = own[LOCAL_ID() % 4];
          BARRIER();
          result[LOCAL_ID() + 32] = values[31 - LOCAL_ID()];

        """)
    }
  }

  @Test func aWriteOutsideOfSharedMemoryIsFound() async throws {
    let result = try await #require(processExitsWith: reported, observing: [\.standardErrorContent]) {
      try KernelSanitizerTests.run(
        """
          LOCAL_ARRAY(int, values, 40);
          values[LOCAL_ID() + 9 + result[0]] = 1;
          BARRIER();
          result[LOCAL_ID()] = values[LOCAL_ID()];

        """)
    }
    Self.expect("global-buffer-overflow", in: result)
  }

  @Test func aCopyOutsideOfSharedMemoryIsFound() async throws {
    let result = try await #require(processExitsWith: reported, observing: [\.standardErrorContent]) {
      try KernelSanitizerTests.run(
        """
          LOCAL_ARRAY(int, values, 64);
          COPY_ASYNC(values + LOCAL_ID() % 17 * 4, result, 16);
          COPY_ASYNC_COMMIT();
          COPY_ASYNC_WAIT(0);
          BARRIER();
          result[LOCAL_ID()] = values[LOCAL_ID()];

        """)
    }
    Self.expect("global-buffer-overflow", in: result)
  }

  @Test func anIndexOutsideOfAPrivateArrayIsFound() async throws {
    let result = try await #require(processExitsWith: reported, observing: [\.standardErrorContent]) {
      try KernelSanitizerTests.run(
        """
          int own[4];
          for (int i = 0; i < 4; i += 1) own[(i + result[0]) % 4] = i;
          BARRIER();
          result[LOCAL_ID()] = own[LOCAL_ID() % 5 + result[63]];

        """)
    }
    Self.expect("stack-buffer-overflow", in: result)
  }

  @Test func aWriteOutsideOfGlobalMemoryIsFound() async throws {
    let result = try await #require(processExitsWith: reported, observing: [\.standardErrorContent]) {
      try KernelSanitizerTests.run("  result[LOCAL_ID() + 33] = 1;\n")
    }
    Self.expect("use-after-poison", in: result)
  }

  @Test func aReadOutsideOfGlobalMemoryIsFound() async throws {
    let result = try await #require(processExitsWith: reported, observing: [\.standardErrorContent]) {
      try KernelSanitizerTests.run("  result[LOCAL_ID()] = result[-900];\n")
    }
    Self.expect("use-after-poison", in: result)
  }
}
