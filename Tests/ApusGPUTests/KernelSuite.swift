import Foundation
import Testing

/// The trait of the suites of kernel tests. `.ci/oclgrind-check` runs every suite that has it.
///
/// On the simulator, all tests of these suites run on one thread. The simulator tracks uninitialized memory for each
/// thread separately, and crashes if a kernel is launched on another thread than the one that created the context.
struct KernelSuite: SuiteTrait, TestScoping {
  /// The tests in the suite inherit the trait.
  var isRecursive: Bool { true }

  func provideScope(
    for test: Test, testCase: Test.Case?, performing function: @concurrent @Sendable () async throws -> Void
  ) async throws {
    guard Harness.isSimulator else { return try await function() }
    try await withTaskExecutorPreference(SingleThreadExecutor.shared) { try await function() }
  }
}

extension Trait where Self == KernelSuite {
  /// See ``KernelSuite``.
  static var kernels: Self { Self() }
}

/// Runs jobs in order on one thread, which exists as long as the process.
private final class SingleThreadExecutor: TaskExecutor {
  static let shared = SingleThreadExecutor()

  private let jobs = JobQueue()

  private init() {
    let thread = Thread { [jobs, unowned self] in
      while true { jobs.next().runSynchronously(on: asUnownedTaskExecutor()) }
    }
    thread.name = "device"
    thread.stackSize = 8 << 20
    thread.start()
  }

  func enqueue(_ job: consuming ExecutorJob) { jobs.append(UnownedJob(job)) }
}

/// Waiting jobs, in the order of their arrival.
private final class JobQueue: @unchecked Sendable {
  private let condition = NSCondition()
  private var jobs: [UnownedJob] = []

  func append(_ job: UnownedJob) {
    condition.withLock {
      jobs.append(job)
      condition.signal()
    }
  }

  func next() -> UnownedJob {
    condition.withLock {
      while jobs.isEmpty { condition.wait() }
      return jobs.removeFirst()
    }
  }
}
