import ApusTestSupport
import Testing

/// The trait of the suites of kernel tests. `.ci/oclgrind-check` runs every suite that has it. The tests wait for
/// compilers, so they run on ``ThreadPool/blocking``.
///
/// On the simulator, all tests of these suites run on one thread instead. The simulator tracks uninitialized memory for
/// each thread separately, and crashes if a kernel is launched on another thread than the one that created the context.
struct KernelSuite: SuiteTrait, TestTrait, TestScoping {
  private static let threads = Harness.isSimulator ? ThreadPool(threadCount: 1) : .blocking

  /// The tests in the suite inherit the trait.
  var isRecursive: Bool { true }

  func provideScope(
    for test: Test, testCase: Test.Case?, performing function: @concurrent @Sendable () async throws -> Void
  ) async throws {
    try await withTaskExecutorPreference(Self.threads) { try await function() }
  }
}

extension Trait where Self == KernelSuite {
  /// See ``KernelSuite``.
  static var kernels: Self { Self() }
}
