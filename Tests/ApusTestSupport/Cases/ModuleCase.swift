import Apus

/// A module whose results are compared with PyTorch's results, in the case of the same name in a `Fixture`.
public struct ModuleCase: Sendable {
  public let name: String
  public let make: @Sendable () -> any Module
  private var mode = Mode.training
  /// The number of runs before the comparison; several for modules that track statistics.
  private var repeatCount = 1
  private let call: @Sendable (any Module, [Tensor]) -> [Tensor]

  /// A module that `call` applies to the inputs of the case.
  public init<M: Module>(
    _ name: String, mode: Mode = .training, repeatCount: Int = 1, _ make: @escaping @Sendable () -> M,
    call: @escaping @Sendable (M, [Tensor]) -> [Tensor]
  ) {
    self.name = name
    self.make = make
    self.mode = mode
    self.repeatCount = repeatCount
    self.call = { call($0 as! M, $1) }
  }

  /// A layer, applied to one input.
  public init<L: Layer>(
    _ name: String, mode: Mode = .training, repeatCount: Int = 1, _ make: @escaping @autoclosure @Sendable () -> L
  ) {
    self.init(name, mode: mode, repeatCount: repeatCount, make) { layer, inputs in [layer(inputs[0])] }
  }

  /// Compares outputs, gradients, statistics and the keys of the module's state with the fixture.
  /// - Returns: Descriptions of the differences.
  public func problems(_ fixture: Fixture, _ report: inout ConformanceReport) throws -> [String] {
    var problems: [String] = []
    func check(_ error: Double, _ place: String, isGradient: Bool = false) {
      if let problem = report.add(error, of: "\(name): \(place)", isGradient: isGradient) { problems.append(problem) }
    }
    report.beginCase()
    let module = make()
    let state = module.state
    let keys = state.entries.map(\.key)
    if keys.sorted() != fixture.keys(of: name, "state.") {
      return ["\(name): keys are \(keys.sorted()), expected \(fixture.keys(of: name, "state."))"]
    }
    for entry in state.entries { entry.assign(try fixture.tensor(name, "state.\(entry.key)")) }
    let inputs = try fixture.inputs(of: name)
    let smooth = inputs.indices.filter { inputs[$0].dtype.isFloatingPoint }
    let parameters = state.entries.filter { $0.parameter != nil }
    var (outputs, found) = ([Tensor](), [Tensor]())
    for _ in 0..<repeatCount {
      withMode(mode) {
        recordingGradients {
          outputs = call(module, inputs)
          let targets = smooth.map { inputs[$0] } + parameters.map(\.value)
          found = targets.isEmpty ? [] : gradients(of: patternLoss(outputs), withRespectTo: targets)
        }
      }
      try eval(outputs + found)
    }
    for (index, output) in outputs.enumerated() {
      check(try fixture.error(of: output, name, "output.\(index)"), "output.\(index)")
    }
    if fixture.contains(name, "output.\(outputs.count)") {
      problems.append("\(name): \(outputs.count) outputs are too few")
    }
    let places = smooth.map { "gradient.input.\($0)" } + parameters.map { "gradient.\($0.key)" }
    for (place, gradient) in zip(places, found) {
      check(try fixture.error(of: gradient, name, place), place, isGradient: true)
    }
    for entry in state.entries where entry.parameter == nil {
      let key = fixture.contains(name, "after.\(entry.key)") ? "after.\(entry.key)" : "state.\(entry.key)"
      check(try fixture.error(of: entry.value, name, key), key)
    }
    return problems
  }
}
