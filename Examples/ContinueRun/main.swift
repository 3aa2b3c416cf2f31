// Opens a run of `apus train`, evaluates it, predicts the classes of images, trains the run for at most one more epoch,
// and evaluates it again. Arguments: the folder of the run, then the image files.
import Apus
import ApusRuns

/// Stops the training when the mean loss of a window is not smaller than the mean loss of the previous window. A window
/// ends at each step whose number is a multiple of 50, and at the end of an epoch.
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
