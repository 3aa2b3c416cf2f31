import ApusTensor

/// Changes the parameters of a model along the gradients of a loss.
///
/// ```
/// let optimizer = Optimizer(Adam(learningRate: 1e-3), for: model)
/// let loss = try optimizer.minimize { crossEntropy(model(images), labels) }
/// ```
/// An update evaluates parameters, state, loss and assigned statistics in one plan, in which the old values are
/// overwritten in place. A task uses an optimizer at a time.
public final class Optimizer {
  public let rule: any UpdateRule
  /// The parameters that are trained, with their keys.
  public let parameters: [Parameter]
  public let keys: [String]
  private let model: ModelState

  /// The number of updates so far.
  public internal(set) var step = 0
  /// The learning rate of the next update.
  public var learningRate: Double
  /// For each parameter the tensors that the rule keeps.
  var slots: [[Tensor]]
  private var isPrepared = false

  /// An optimizer of all parameters of a model.
  public init(_ rule: any UpdateRule, for model: any Module) {
    self.rule = rule
    self.model = model.state
    parameters = self.model.parameters
    keys = self.model.entries.filter { $0.parameter != nil }.map(\.key)
    learningRate = rule.learningRate
    let names = rule.stateNames
    slots = parameters.map { parameter in
      names.map { _ in
        Tensor.zeros(parameter.shape, dtype: parameter.dtype, device: parameter.value.device)
      }
    }
  }

  /// Evaluates what the first update starts from, so that it runs the same plan as all others. The first update
  /// does so by itself.
  public func prepare() throws(DeviceError) {
    guard !isPrepared else { return }
    isPrepared = true
    try eval(model.entries.map(\.cell.storedValue) + slots.joined())
  }

  /// Builds a loss, and takes one step against its gradients.
  /// - Returns: the loss before the step. It is evaluated, but not waited for.
  @discardableResult
  public func minimize(_ loss: () throws -> Tensor) throws -> Tensor {
    try prepare()
    let (value, gradients) = try valueAndGradients(of: parameters, loss)
    try update(consume gradients)
    return value
  }

  /// Takes one step against given gradients. Parameters without one stay as they are.
  ///
  /// Old values are overwritten in place unless something else refers to them; likewise memory for the gradients
  /// is taken only if the caller keeps them.
  public func update(_ gradients: consuming Gradients) throws(DeviceError) {
    try prepare()
    step += 1
    assign(consume gradients)
    var results: [Tensor] = []
    results.reserveCapacity(parameters.count * (1 + (slots.first?.count ?? 0)))
    for (index, parameter) in parameters.enumerated() {
      results.append(parameter.cell.storedValue)
      results.append(contentsOf: slots[index])
    }
    try eval(results)
  }

  /// Builds the new values. When it returns, nothing refers to the old ones but the graph.
  private func assign(_ gradients: consuming Gradients) {
    let isSameList =
      gradients.parameters.count == parameters.count
      && zip(gradients.parameters, parameters).allSatisfy { $0 === $1 }
    var formulas: [(dtype: DType, device: ComputeDevice, formula: ParameterUpdate)] = []
    for (index, parameter) in parameters.enumerated() where parameter.isTrainable {
      guard let gradient = isSameList ? gradients.tensors[index] : gradients[parameter] else { continue }
      let value = parameter.cell.storedValue
      let known = formulas.firstIndex { $0.dtype == value.dtype && $0.device === value.device }
      if known == nil {
        let formula = rule.update(step: step, rate: learningRate) { number in
          .number(number, dtype: value.dtype, device: value.device)
        }
        formulas.append((value.dtype, value.device, formula))
      }
      parameter.cell.storedValue = formulas[known ?? formulas.count - 1].formula(value, gradient, &slots[index])
    }
  }
}

extension Optimizer {
  /// The tensors that the rule keeps, under keys such as `0.weight.momentum_buffer`.
  public var state: [(key: String, value: Tensor)] {
    zip(keys, slots).flatMap { key, slots in
      zip(rule.stateNames, slots).map { (key: "\(key).\($0)", value: $1) }
    }
  }

  /// Goes on from a state that was kept.
  /// - Parameter value: the tensor under a key, of the shape and type that `state` has there.
  public func restore<E: Error>(step: Int, value: (_ key: String) throws(E) -> Tensor) throws(E) {
    var restored = slots
    for (parameter, key) in keys.enumerated() {
      for (slot, name) in rule.stateNames.enumerated() {
        let tensor = try value("\(key).\(name)")
        guard tensor.shape == slots[parameter][slot].shape, tensor.dtype == slots[parameter][slot].dtype else {
          fatalError("Optimizer: \(key).\(name) is \(tensor.dtype) of shape \(tensor.shape)")
        }
        restored[parameter][slot] = tensor
      }
    }
    slots = restored
    self.step = step
    isPrepared = false
  }
}
