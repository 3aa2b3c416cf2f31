import Foundation
import Testing

/// A fixed number of threads that run tests. The threads exist as long as the process.
public final class ThreadPool: TaskExecutor {
  /// The pool of the suites with the trait ``BlockingSuite`` and of the kernel tests, with one thread per processor.
  public static let blocking = ThreadPool(threadCount: ProcessInfo.processInfo.activeProcessorCount)

  private let jobs = JobQueue()

  public init(threadCount: Int) {
    for _ in 0..<threadCount {
      let thread = Thread { [self] in
        while true { jobs.next().runSynchronously(on: asUnownedTaskExecutor()) }
      }
      thread.name = "tests"
      thread.stackSize = 8 << 20
      thread.start()
    }
  }

  public func enqueue(_ job: consuming ExecutorJob) { jobs.append(UnownedJob(job)) }
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

/// The trait of suites whose tests often block their thread, for example until another process ends. These tests run on
/// ``ThreadPool/blocking``: a blocked thread of Swift's own pool, which has one thread per processor, could not run
/// other tests.
public struct BlockingSuite: SuiteTrait, TestTrait, TestScoping {
  /// The tests in the suite inherit the trait.
  public var isRecursive: Bool { true }

  public func provideScope(
    for test: Test, testCase: Test.Case?, performing function: @concurrent @Sendable () async throws -> Void
  ) async throws {
    try await withTaskExecutorPreference(ThreadPool.blocking) { try await function() }
  }
}

extension Trait where Self == BlockingSuite {
  /// See ``BlockingSuite``.
  public static var blocking: Self { Self() }
}
