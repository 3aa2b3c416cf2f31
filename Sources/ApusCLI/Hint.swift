import Apus
import ApusRuns
import ApusSystem

/// The options that may resolve an error. The command adds them to the message, because the library does not know them.
func hint(for error: any Error) -> String? {
  switch error {
  case TrainingError.diverged, TrainingError.anomaly, TrainingError.brokenWeights(step: 1..., _):
    "--detect-anomaly, --learning-rate, --clip-norm 1"
  case TrainingError.optimizer: "--precision float32, --learning-rate, --clip-norm 1"
  case TrainingError.singleExample: "--batch-size"
  case TrainingError.alreadyTrained: "--steps, --epochs"
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

/// The data source that a path without a prefix such as `csv:` most likely means; `nil` if the path does not exist.
private func existingSource(_ path: String) -> String? {
  guard FileSystem.exists(path) else { return nil }
  if FileSystem.isDirectory(path) { return "image-folder:\(path)" }
  return path.hasSuffix(".txt") ? "text:\(path)" : "csv:\(path)"
}
