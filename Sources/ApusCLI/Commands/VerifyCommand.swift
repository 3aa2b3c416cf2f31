import Apus
import ApusRuns
import ApusSystem

enum VerifyCommand: Command {
  static let name = "verify"
  static let summary = "compare a training step on two or more devices, operation by operation"
  static let model = RunOptions.model
  static let devices = Option(
    "devices", .list("D"), help: "the names of two or more devices, for example cpu,opencl")
  static let layers = RunOptions.layers
  static let data = Option(
    "data", .dataSource, help: "the data of the batch (default: synthetic images, or the model's text)")
  static let batchSize = RunOptions.batchSize
  static let optimizer = RunOptions.optimizer
  static let seed = RunOptions.seed
  static let json = Flag("json", help: "print one JSON object")
  static let declarations =
    [
      model.declaration, devices.declaration, layers.declaration, data.declaration, batchSize.declaration,
      optimizer.declaration, seed.declaration, json.declaration,
    ] + RunOptions.textDeclarations
  static let discussion = """
    Each device runs one step, including the update, from the same weights and examples. Then the CPU repeats every
    operation with the inputs that the operation had on the device, and compares the results within tolerances. The
    exit code is 1 if an operation exceeds its tolerance, or if the losses differ by more than 1e-5 of their value.
    """

  static func run(_ arguments: Arguments) throws {
    guard let names = arguments[devices], names.count > 1 else {
      throw OptionError("--devices needs two or more devices, for example --devices cpu,opencl")
    }
    for device in names where ValueKind.device.parse(device) == nil {
      throw OptionError("--devices: \(device.quoted()) is not \(ValueKind.device.expectation)")
    }
    let step = try ComparedStep(arguments)
    let opened = try names.map { try ComputeDevice.chosen(by: $0) }
    let reference = try ComputeDevice.named("cpu")
    let comparison = try StepComparison(on: opened, reference: reference) { try step.build(on: $0) }
    let agrees = comparison.divergence == nil && comparison.lossesAgree
    if arguments[json] {
      try StandardOutput.write(comparison.json(step.model.name, opened, agrees))
    } else if agrees {
      try StandardOutput.write(line: comparison.text(opened))
    }
    guard agrees else { throw Divergence(comparison: comparison, devices: opened) }
  }
}

/// One training step of a model. The model's training recipe gives the optimizer and the batch size, unless options
/// replace them.
private struct ComparedStep {
  let model: ModelDescription
  private let format: any DataFormat
  private let settings: RunSettings
  private let rule: any UpdateRule

  init(_ arguments: Arguments) throws {
    var settings = try RunSettings(arguments)
    model = settings.model
    rule = try optimizerRule(settings.optimizer, learningRate: settings.learningRate)
    if arguments[VerifyCommand.data] == nil, case .images = model.kind { settings.data = "synthetic" }
    self.settings = settings
    format = try withDevice(.named("cpu")) { [settings] in try LearningTask(settings).format }
  }

  /// The loss, its gradients, and the results of the optimizer's update.
  func build(on device: ComputeDevice) throws -> [Tensor] {
    try withDevice(device) {
      let seeds = RunSeeds(settings.seed)
      let network = try withRandomKey(seeds.initialization) { try settings.makeModel(for: format, rule: rule) }
      let train = try LearningTask(settings).train
      let count = min(settings.batchSize.count ?? train.count, train.count)
      let examples = try train.readableExamples((0..<count).map { Int32($0) })
      // The CPU computes the initial values for all devices, so that all devices start from the same bits.
      let (values, parameters) = (network.state.entries, network.parameters)
      for (entry, value) in zip(values, try firstValues()) { entry.assign(try value.moved(to: device)) }
      let (loss, gradients) = try checkingShapes {
        withRandomKey(seeds.training) {
          withMode(.training) {
            valueAndGradients(of: parameters) {
              format.objective.losses(network(examples.inputs), examples.targets).mean()
            }
          }
        }
      }
      var results = [loss] + gradients.tensors.compactMap(\.self)
      let update = rule.update(step: 1, rate: settings.learningRate) { .number($0) }
      for (parameter, gradient) in zip(parameters, gradients.tensors) {
        guard let gradient else { continue }
        var state = rule.stateNames.map { _ in Tensor.zeros(parameter.shape) }
        results.append(update(parameter.value, gradient, &state))
        results += state
      }
      return results
    }
  }

  private func firstValues() throws -> [Tensor] {
    try withDevice(.named("cpu")) {
      let network = try withRandomKey(RunSeeds(settings.seed).initialization) {
        try settings.makeModel(for: format)
      }
      let values = network.state.entries.map(\.value)
      try eval(values)
      return values
    }
  }
}

/// The error for devices that do not agree.
private struct Divergence: Error, CustomStringConvertible {
  var comparison: StepComparison
  var devices: [ComputeDevice]

  var description: String {
    guard let found = comparison.divergence else {
      let losses = zip(devices, comparison.losses).map { "\($1) on \($0.name)" }.joined(separator: ", ")
      return "every operation is within its tolerance, but the loss is \(losses)"
    }
    return "\(found.device) diverges at operation \(found.position) of \(comparison.operationCount), "
      + "\(found.operation) of \(found.shape): element \(found.element) is \(found.value), expected "
      + "\(found.expected), off by \(found.share.text(places: 1)) times the tolerance"
  }
}

extension StepComparison {
  fileprivate var lossesAgree: Bool {
    losses.allSatisfy { abs($0 - losses[0]) <= 1e-5 * abs(losses[0]) }
  }

  fileprivate func text(_ devices: [ComputeDevice]) -> String {
    var lines = ["all \(operationCount) operations agree on \(devices.map(\.name).joined(separator: " and "))"]
    lines += zip(devices, losses).map { "loss \($1) on \($0.name)" }
    if let largest {
      let share = (largest.share * 100).text(places: 1)
      lines.append(
        "largest difference: \(share) % of its tolerance, in operation \(largest.position), \(largest.operation), "
          + "on \(largest.device)")
    }
    return lines.joined(separator: "\n")
  }

  fileprivate func json(_ model: String, _ devices: [ComputeDevice], _ agrees: Bool) -> JSON {
    var line: JSONObject = [
      "model": .string(model), "devices": .array(devices.map { .string($0.name) }),
      "operations": .integer(operationCount), "agrees": .bool(agrees),
      "losses": .array(losses.map { .number($0) }),
    ]
    line["diverging"] = divergence?.json
    line["largest"] = largest?.json
    return .object(line)
  }
}

extension StepComparison.Difference {
  fileprivate var json: JSON {
    [
      "device": .string(device), "operation": .string(operation), "position": .integer(position),
      "shape": .array(shape.map { .integer($0) }), "element": .integer(element), "value": .number(value),
      "expected": .number(expected), "share_of_tolerance": .number(share),
    ]
  }
}
