import ApusData
import ApusFiles
import ApusNN
import ApusTensor

/// What can go wrong with a run, with what is needed to get out of it.
public enum TrainingError: Error, Hashable, Sendable {
  /// The device failed; checkpoints already written are untouched.
  case device(DeviceError)
  /// A data file could not be read or written, or is not what it should be.
  case data(DataError)
  /// The operating system refused.
  case inputOutput(path: String, operation: String, reason: String)
  /// A checkpoint or file of weights is damaged.
  case damaged(path: String, reason: String)
  /// A file of weights or a checkpoint belongs to another model or run.
  case mismatch(path: String, reason: String)
  /// What a checkpoint should keep besides tensors could not be read again.
  case unstorable(path: String, reason: String)
  /// There is nothing to go on from.
  case noCheckpoint(path: String, damaged: [String])
  /// Another process, of this number where it could be read, is writing to the run.
  case inUse(path: String, process: Int?)
  /// The output directory holds another run.
  case occupied(path: String)
  /// No way leads from the loss to trainable parameters of these keys: training would leave them as they are.
  case untrained(keys: [String])
  /// The loss depends on a trainable parameter that the optimizer does not hold; of a shape, and read in a layer.
  case unknownParameter(shape: [Int], layer: String?)
  /// The loss of step `step`, counted from 1, is not a finite number.
  case diverged(step: Int, loss: Double)
  /// A parameter or statistic is not finite after so many steps; no checkpoint was made of it.
  case brokenWeights(step: Int, key: String)
  /// The first operation that made NaN or an infinity, where they are looked for, in step `step`, counted from 1.
  case anomaly(step: Int, Anomaly)
  /// The optimizer could not go on.
  case optimizer(OptimizerError)
  /// Step `step`, counted from 1, has one example, of which a layer cannot be trained.
  case singleExample(step: Int, ShapeError)
  /// Training does not fit the device's memory; `fitting` is the largest batch size that does, if there is one.
  case tooLarge(TrainingMemory, limit: MemoryLimit, device: String, fitting: Int?)
  /// Outputs or labels that no measure is defined for.
  case unmeasurable(reason: String)

  init(_ error: FileError) {
    self = .inputOutput(path: error.path, operation: error.operation, reason: error.reason)
  }
}

extension TrainingError: CustomStringConvertible {
  private static let waysOut =
    "detecting anomalies names the operation; a lower learning rate or gradients clipped to a norm of 1 may help; "
    + "checkpoints made before are as they were"

  /// Paths, keys and what files say are in it cut and escaped.
  public var description: String { text.printable(limit: 4096, keepsLines: true) }

  private var text: String {
    switch self {
    case .device(let error): return error.description
    case .data(let error): return error.description
    case .inputOutput(let path, let operation, let reason): return "\(path): cannot \(operation): \(reason)"
    case .damaged(let path, let reason):
      return "\(path): damaged: \(reason); use another copy or an earlier checkpoint"
    case .mismatch(let path, let reason):
      return "\(path): does not fit: \(reason); check the model and its options"
    case .unstorable(let path, let reason):
      return "\(path): the configuration cannot be kept in a checkpoint: \(reason); make it simpler"
    case .noCheckpoint(let path, let damaged):
      let found = damaged.isEmpty ? "there is none" : damaged.joined(separator: "; ")
      return "\(path): no checkpoint to go on from: \(found)"
    case .inUse(let path, let process):
      let name = process.map { "process \($0)" } ?? "another process"
      return "\(path): \(name) is writing to this run; wait for its end, or stop it"
    case .occupied(let path):
      return "\(path): there is a run already; resume it or take another directory"
    case .untrained(let keys):
      let rest = keys.count > 3 ? " and \(keys.count - 3) more" : ""
      return
        "the loss does not depend on \(keys.prefix(3).joined(separator: ", "))\(rest), which would stay untrained; "
        + "use it, leave it out of the model, or freeze it with isTrainable = false"
    case .unknownParameter(let shape, let layer):
      return
        "the loss depends on a trainable parameter of shape \(shape)\(layer.map { " in layer \($0)" } ?? "") that the "
        + "optimizer does not hold; store it in a property of the model (a closure's are not seen), or freeze it with "
        + "isTrainable = false"
    case .diverged(let step, let loss):
      return "the loss is \(loss.isNaN ? "nan" : "\(loss)") at step \(step); \(TrainingError.waysOut)"
    case .brokenWeights(let step, let key):
      guard step > 0 else { return "\(key) has values that are not finite before the first step; start from others" }
      return "\(key) has values that are not finite after step \(step); \(TrainingError.waysOut)"
    case .anomaly(let step, let anomaly): return "step \(step): \(anomaly)"
    case .optimizer(let error): return error.description
    case .singleExample(let step, let error):
      return "step \(step) has a batch of one example: \(error); another batch size leaves no such batch"
    case .tooLarge(let memory, let limit, let device, let fitting):
      let isLong = memory.byteCount <= limit.byteCount
      let needs =
        isLong
        ? "a single array of \(memory.largestByteCount.byteText) of at most \(limit.largestByteCount.byteText) on device "
          + "\(device)"
        : "\(memory.byteCount.byteText) of \(limit.byteCount.byteText) that device \(device) has left"
      return "training at batch size \(memory.batchSize) needs \(needs); "
        + (fitting.map { "batch size \($0) fits" } ?? "no batch size fits: a smaller model or input needs less")
    case .unmeasurable(let reason): return "the results cannot be measured: \(reason)"
    }
  }
}

/// Turns the errors of the modules below into that of this one.
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
  } catch let error as OptimizerError {
    throw .optimizer(error)
  } catch {
    fatalError("an error that no module throws: \(error)")
  }
}
