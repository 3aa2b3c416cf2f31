import Apus
import ApusSystem

/// Runs a body that opens a run's data. If the data are not found, reports the folder that a relative path starts from,
/// and how to name data that were moved.
///
/// - Parameters:
///   - run: the folder of an existing run; `nil` for a new run, for which nothing is reported.
///   - advice: the options that name moved data.
func explainingMissingData<R>(
  of settings: RunSettings, in run: String?, advice: String = "--data", _ body: () throws -> R
) throws -> R {
  do {
    return try body()
  } catch {
    if let run, isMissing(error), case (_, let argument?) = try DatasetDescription.find(settings.data),
      !FileSystem.exists(argument)
    {
      let cause =
        argument.hasPrefix("/")
        ? "are no longer there: if they were moved,"
        : "are relative to the folder where the run was started: run the command there, or"
      Diagnostics.write(
        "the data of \(run.printable()), \(settings.data.printable()), \(cause) name them with \(advice)")
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
