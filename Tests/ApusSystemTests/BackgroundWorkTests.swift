import Glibc
import Synchronization
import Testing

@testable import ApusSystem

@Suite struct BackgroundWorkTests {
  private final class Flag: Sendable {
    let value = Atomic(false)
  }

  /// `finish` tells a job to stop, waits until the job has ended, and runs the deferred work after that.
  @Test func finishWaitsForJobsBeforeDeferredWork() {
    let (jobHasEnded, jobHadEnded) = (Flag(), Flag())
    BackgroundWork.start {
      while !BackgroundWork.isEnding { usleep(1000) }
      usleep(50_000)
      jobHasEnded.value.store(true, ordering: .sequentiallyConsistent)
    }
    BackgroundWork.atExit {
      let value = jobHasEnded.value.load(ordering: .sequentiallyConsistent)
      jobHadEnded.value.store(value, ordering: .sequentiallyConsistent)
    }
    BackgroundWork.finish()
    #expect(jobHasEnded.value.load(ordering: .sequentiallyConsistent))
    #expect(jobHadEnded.value.load(ordering: .sequentiallyConsistent))
  }
}
