// Opens a run of `apus train`, evaluates it, predicts the classes of images, and trains it for at most one more epoch.
// Arguments: the folder of the run, and images.
import Apus
import ApusRuns

/// Stops when the mean loss of 50 steps is no smaller than the mean loss of the 50 steps before.
final class Plateau: TrainingObserver {
  private var last = Double.infinity

  func didRecord(_ progress: TrainingProgress, _ record: JSONObject) -> TrainingRequest {
    guard let loss = record["loss"]?.number else { return .continue }
    defer { last = loss }
    return loss < last ? .continue : .stop(reason: "the loss no longer falls")
  }
}

reportingErrors {
  let run = try Run(at: CommandLine.arguments[1])
  let measured = try run.evaluate()
  print("accuracy", measured.accuracy ?? 0, "of", measured.count, "examples")
  for prediction in try run.predict(Array(CommandLine.arguments.dropFirst(2))) {
    print("prediction", prediction.file, prediction.name ?? "", prediction.probability ?? 0)
  }
  let epochs = run.progress.epochs + 1
  let (longer, result) = try run.resume(["epochs": .integer(epochs)], observers: [Plateau()])
  print("steps", result.steps, "stopped", result.stopped ?? "no")
  print("accuracy", try longer.evaluate().accuracy ?? 0)
}
