import Apus
import ApusFiles

/// The options that lead out of what went wrong: the library's errors, which say what to do, do not know them.
func hint(for error: any Error) -> String? {
  switch error {
  case TrainingError.diverged, TrainingError.anomaly, TrainingError.brokenWeights(step: 1..., _):
    "--detect-anomaly, --learning-rate, --clip-norm 1"
  case TrainingError.optimizer: "--precision float32, --learning-rate, --clip-norm 1"
  case TrainingError.singleExample: "--batch-size"
  case TrainingError.noCheckpoint: "without --resume the run starts anew"
  case TrainingError.occupied(let path): "--resume \(path), --output"
  case TrainingError.tooLarge(_, _, _, let fitting): fitting.map { "--batch-size \($0)" } ?? "--image-size, --device"
  case TrainingError.device(let error): hint(for: error)
  case TrainingError.data(let error): hint(for: error)
  case DeviceError.outOfMemory: "--batch-size"
  case DeviceError.buildFailed: "--device cpu"
  case DataError.missing: "--data"
  case DataError.unknownSource(let source, _): existingSource(source).map { "it exists: --data \($0)" }
  default: nil
  }
}

/// The source that a bare path stands for; `nil` where there is nothing of that name.
private func existingSource(_ path: String) -> String? {
  guard FileSystem.exists(path) else { return nil }
  if FileSystem.isDirectory(path) { return "image-folder:\(path)" }
  return path.hasSuffix(".txt") ? "text:\(path)" : "csv:\(path)"
}
