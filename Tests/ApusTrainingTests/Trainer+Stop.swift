import Apus
import Foundation

@testable import ApusTraining

extension Trainer {
  /// Runs until `steps` steps are finished and saved, then stops as if the process had been killed.
  func stop(after steps: Int) throws {
    try run(until: steps)
    // This releases the lock of the run folder, as the end of a process does.
    session = TrainerSession()
    runFolder = nil
  }
}
