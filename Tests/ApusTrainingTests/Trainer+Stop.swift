import Apus
import Foundation

@testable import ApusTraining

private struct Stopped: Error {}

extension Trainer {
  /// Runs until `steps` steps are done and written, then stops as if the process had been killed.
  func stop(after steps: Int) throws {
    var session = try TrainingSession(self)
    try session.run(until: steps)
    // The lock ends with a process.
    runFolder = nil
  }
}
