import ApusData
import ApusNN
import ApusReports
import ApusSystem
import ApusTensor

/// The errors of a training run, with advice to resolve them.
public enum TrainingError: Error, Hashable, Sendable {
  /// The device failed; checkpoints already written are untouched.
  case device(DeviceError)
  /// A data file could not be read or written, or is malformed.
  case data(DataError)
  /// The operating system refused an operation.
  case inputOutput(path: String, operation: String, reason: String)
  /// A checkpoint or file of weights is damaged.
  case damaged(path: String, reason: String)
  /// A file of weights or a checkpoint belongs to another model or run.
  case mismatch(path: String, reason: String)
  /// The configuration, or the state that an observer keeps in checkpoints, cannot be stored so that it can be read
  /// back.
  case unstorable(path: String, reason: String)
  /// A run that has done `steps` steps cannot be resumed to end after `total` steps, which are fewer.
  case alreadyTrained(path: String, steps: Int, total: Int)
  /// There is no checkpoint to resume from.
  case noCheckpoint(path: String, damaged: [String])
  /// The run has checkpoints, but not the checkpoint `name`.
  case checkpointNotKept(path: String, name: String, kept: [String])
  /// Another process is writing to the run; `process` is its process ID if that could be read.
  case inUse(path: String, process: Int?)
  /// The output folder contains another run.
  case occupied(path: String)
  /// No gradient path leads from the loss to the trainable parameters with these keys: training would not change them.
  case untrained(keys: [String])
  /// The loss depends on a trainable parameter of this shape, read in this layer, that the optimizer does not update.
  case unknownParameter(shape: [Int], layer: String?)
  /// The loss of step `step`, counted from 1, is not a finite number.
  case diverged(step: Int, loss: Double)
  /// A parameter or statistic is not finite after `step` steps; no checkpoint was written.
  case brokenWeights(step: Int, key: String)
  /// Anomaly detection found the first operation that produced NaN or an infinity, in step `step`, counted from 1.
  case anomaly(step: Int, Anomaly)
  /// The optimizer failed.
  case optimizer(OptimizerError)
  /// Step `step`, counted from 1, has a single example, with which a layer cannot be trained.
  case singleExample(step: Int, ShapeError)
  /// Training does not fit into the device's memory; `fitting` is the largest batch size with which it fits, if any.
  case tooLarge(TrainingMemory, limit: MemoryLimit, device: String, fitting: Int?)
  /// A measure cannot be computed; `reason` says why.
  case unmeasurable(reason: String)

  init(_ error: FileError) {
    self = .inputOutput(path: error.path, operation: error.operation, reason: error.reason)
  }
}

extension TrainingError: CustomStringConvertible {
  private static let waysOut =
    "anomaly detection names the operation; a lower learning rate or gradients clipped to a norm of 1 may help; "
    + "earlier checkpoints are unchanged"

  /// The message, in which paths, keys and texts from files are shortened and escaped.
  public var description: String { text.printable(limit: 4096, keepsLines: true) }

  private var text: String {
    switch self {
    case .device(let error): return error.description
    case .data(let error): return error.description
    case .inputOutput(let path, let operation, let reason): return "\(path): cannot \(operation): \(reason)"
    case .damaged(let path, let reason):
      return "\(path): damaged: \(reason); use another copy or an earlier checkpoint"
    case .mismatch(let path, let reason):
      return "\(path): it belongs to another model or run: \(reason); use the same model and options"
    case .alreadyTrained(let path, let steps, let total):
      let done = steps.text(of: "step")
      return "\(path): the run has already done \(done), so it cannot end after \(total); choose more steps or epochs"
    case .unstorable(let path, let reason):
      return "\(path): no checkpoint can be written: \(reason); store fewer or simpler values"
    case .noCheckpoint(let path, let damaged):
      let found = damaged.isEmpty ? "none was found" : damaged.joined(separator: "; ")
      return "\(path): no checkpoint to resume from: \(found)"
    case .checkpointNotKept(let path, let name, let kept):
      let rest = kept.count > 8 ? " and \(kept.count - 8) more" : ""
      return "\(path): the run has no checkpoint \(name); it has \(kept.prefix(8).joined(separator: ", "))\(rest)"
    case .inUse(let path, let process):
      let name = process.map { "process \($0)" } ?? "another process"
      return "\(path): \(name) is writing to this run; wait until it ends, or stop it"
    case .occupied(let path):
      return "\(path): the folder already has a run; resume it or use another folder"
    case .untrained(let keys):
      let rest = keys.count > 3 ? " and \(keys.count - 3) more" : ""
      let them = keys.count == 1 ? "it" : "them"
      return
        "the loss does not depend on \(keys.prefix(3).joined(separator: ", "))\(rest), which would stay untrained; "
        + "use \(them) in the model's outputs, remove \(them) from the model, or freeze \(them) with "
        + "isTrainable = false"
    case .unknownParameter(let shape, let layer):
      return
        "the loss depends on a trainable parameter of shape \(shape)\(layer.map { " in layer \($0)" } ?? "") that the "
        + "optimizer does not update; store it in a property of the model (not in a closure), or freeze it with "
        + "isTrainable = false"
    case .diverged(let step, let loss):
      return "the loss is \(loss.isNaN ? "nan" : "\(loss)") at step \(step); \(TrainingError.waysOut)"
    case .brokenWeights(let step, let key):
      guard step > 0 else { return "\(key) has values that are not finite before the first step; use other weights" }
      return "\(key) has values that are not finite after step \(step); \(TrainingError.waysOut)"
    case .anomaly(let step, let anomaly): return "step \(step): \(anomaly)"
    case .optimizer(let error): return error.description
    case .singleExample(let step, let error):
      return "step \(step) has a batch of one example: \(error); use a batch size that does not leave a single example"
    case .tooLarge(let memory, let limit, let device, let fitting):
      let isArrayTooLarge = memory.byteCount <= limit.byteCount
      let needs =
        isArrayTooLarge
        ? "a single array of \(memory.largestByteCount.byteText), but the limit is "
          + "\(limit.largestByteCount.byteText) on device \(device)"
        : "\(memory.byteCount.byteText), but device \(device) has \(limit.byteCount.byteText) left"
      return "training at batch size \(memory.batchSize) needs \(needs); "
        + (fitting.map { "batch size \($0) fits" } ?? "no batch size fits: use a smaller model or input")
    case .unmeasurable(let reason): return MeasureError(reason: reason).description
    }
  }
}

/// Converts the errors of lower modules to `TrainingError`.
func reportingTraining<R>(_ body: () throws -> R) throws(TrainingError) -> R {
  do {
    return try body()
  } catch let error as TrainingError {
    throw error
  } catch let error as DeviceError {
    throw .device(error)
  } catch let error as DataError {
    throw .data(error)
  } catch let error as FileError {
    throw TrainingError(error)
  } catch let error as MeasureError {
    throw .unmeasurable(reason: error.reason)
  } catch let error as OptimizerError {
    throw .optimizer(error)
  } catch {
    fatalError("an error that no module throws: \(error)")
  }
}
