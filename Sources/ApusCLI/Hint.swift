import Apus
import ApusFiles

/// The options that may resolve an error: the library's messages do not know the options of the command.
func hint(for error: any Error) -> String? {
  switch error {
  case TrainingError.diverged, TrainingError.anomaly, TrainingError.brokenWeights(step: 1..., _):
    "--detect-anomaly, --learning-rate, --clip-norm 1"
  case TrainingError.optimizer: "--precision float32, --learning-rate, --clip-norm 1"
  case TrainingError.singleExample: "--batch-size"
  case TrainingError.noCheckpoint: "without --resume a new run starts"
  case TrainingError.checkpointNotKept(_, "best", _): "apus train --keep best keeps it"
  case TrainingError.occupied(let path): "--resume \(path), --output"
  case TrainingError.tooLarge(_, _, _, let fitting): fitting.map { "--batch-size \($0)" } ?? "--image-size, --device"
  case TrainingError.device(let error): hint(for: error)
  case TrainingError.data(let error): hint(for: error)
  case DeviceError.outOfMemory: "--batch-size"
  case DeviceError.buildFailed: "--device cpu"
  case DataError.missing: "--data"
  case DataError.malformed(_, "JPEG", _, _, _), DataError.malformed(_, "PNG", _, _, _):
    "apus train leaves it out with --skip-bad"
  case DataError.unknownSource(let source, _): existingSource(source).map { "it exists: --data \($0)" }
  default: nil
  }
}

/// Runs a body that opens a run's data. If the data are not found and the run has a relative path, reports what the
/// path is relative to.
///
/// - Parameter run: the directory of an existing run; `nil` for a new run.
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

/// The data source for a bare path; `nil` if there is no file of that name.
private func existingSource(_ path: String) -> String? {
  guard FileSystem.exists(path) else { return nil }
  if FileSystem.isDirectory(path) { return "image-folder:\(path)" }
  return path.hasSuffix(".txt") ? "text:\(path)" : "csv:\(path)"
}
