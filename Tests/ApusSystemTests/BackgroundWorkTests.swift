import Glibc
import Synchronization
import Testing

@testable import ApusSystem

@Suite struct BackgroundWorkTests {
  private final class Flag: Sendable {
    private let value = Atomic(false)

    var isSet: Bool { value.load(ordering: .sequentiallyConsistent) }

    func set() { value.store(true, ordering: .sequentiallyConsistent) }
  }

  /// `finish` tells the running job to stop, waits until the job has ended, and then runs the deferred work.
  @Test func finishWaitsForJobsBeforeDeferredWork() {
    let (jobHasEnded, jobEndedFirst) = (Flag(), Flag())
    BackgroundWork.start {
      while !BackgroundWork.isEnding { usleep(1000) }
      usleep(50_000)
      jobHasEnded.set()
    }
    BackgroundWork.deferUntilFinish {
      if jobHasEnded.isSet { jobEndedFirst.set() }
    }
    BackgroundWork.finish()
    #expect(jobHasEnded.isSet)
    #expect(jobEndedFirst.isSet)
  }
}
