import Apus
import Foundation

@testable import ApusTraining

extension Trainer {
  /// Runs until `steps` steps are done and written, then stops as if the process had been killed.
  func stop(after steps: Int) throws {
    try run(until: steps)
    // The lock is released when a process ends.
    session = TrainerSession()
    runFolder = nil
  }
}
