import Apus
import ApusSystem

/// Runs a body that opens a run's data. If the data are not found and the run names them by a relative path, reports
/// what the path is relative to.
///
/// - Parameter run: the folder of an existing run; `nil` for a new run, for which nothing is reported.
func explainingRelativeData<R>(of settings: RunSettings, in run: String?, _ body: () throws -> R) throws -> R {
  do {
    return try body()
  } catch {
    if let run, isMissing(error), case (_, let argument?) = try DatasetDescription.find(settings.data),
      !argument.hasPrefix("/"), !FileSystem.exists(argument)
    {
      Diagnostics.write(
        "the data of \(run.printable()), \(settings.data.printable()), are relative to the folder where the run was "
          + "started: run the command there, or name them with --data")
    }
    throw error
  }
}

private func isMissing(_ error: any Error) -> Bool {
  switch error {
  case DataError.inputOutput, DataError.missing: true
  default: false
  }
}
