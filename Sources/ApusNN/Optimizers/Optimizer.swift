import ApusTensor

/// Updates the parameters of a model with the gradients of a loss.
///
/// ```swift
/// let optimizer = Optimizer(Adam(learningRate: 1e-3), for: model)
/// let loss = try optimizer.minimize { crossEntropy(model(images), labels) }
/// ```
/// An update computes the new parameters, the rule's state, the loss and the statistics that layers assigned (such as
/// running means) in one plan: a list of steps that the device prepares once and runs for each update. The plan
/// overwrites the old values in place, unless the program holds them. Only one Swift task may use an optimizer at a time.
///
/// With `precision: .mixed`, losses are built in mixed precision and scaled, so that their gradients stay within the
/// range of `float16`. If the gradients of an update overflow all the same, the update is skipped and the scale is
/// reduced: see `LossScaler`. After 20 skipped updates in a row `minimize` throws `OptimizerError.skippedUpdates`,
/// which names the first operation that produced NaN or infinity. Parameters, their gradients and the rule's state
/// tensors stay `float32`.
/// ```swift
/// let optimizer = Optimizer(Adam(learningRate: 1e-3), for: model, precision: .mixed)
/// ```
public final class Optimizer {
  /// The rule that computes new values of parameters from gradients, such as `Adam`.
  public let rule: any UpdateRule
  /// The parameters that are trained.
  public let parameters: [Parameter]
  /// The keys of the parameters, in the order of `parameters`.
  public let keys: [String]
  let model: ModelState
  /// Groups of parameters with settings of their own, which may change from step to step. All other parameters use the
  /// rule's settings.
  public var groups: [ParameterGroup] {
    didSet {
      guard groups.map(\.parameters) == oldValue.map(\.parameters) else {
        fatalError("Optimizer: the settings of groups may change, but not their parameters")
      }
      let areEqual = zip(groups, oldValue).allSatisfy { new, old in new.hasConstraint(of: old) }
      if !areEqual { constraintsVersion += 1 }
    }
  }
  /// The number of times that a constraint of `groups` changed.
  private(set) var constraintsVersion = 0
  /// The index of each parameter's group in `groups`.
  private let groupOfParameter: [Int?]

  /// The precision in which losses are computed.
  public let precision: Precision
  /// Scales the losses; `nil` unless `precision` is `.mixed`, in which matrix products are `float16`.
  public private(set) var lossScaler: LossScaler?

  /// The number of updates so far, including skipped ones.
  public internal(set) var step = 0
  /// The learning rate of the next update.
  public var learningRate: Double
  /// Replaces the momentum of a `MomentumRule` whose own momentum is not 0, unless this property is `nil`. A training
  /// run sets it if its schedule changes the momentum.
  public var momentum: Double?
  /// The rule's state tensors of each parameter.
  var slots: [[Tensor]]
  /// Collects the numbers of the next update, while a step is recorded.
  var recordedNumbers: Numbers?
  private var isPrepared = false
  private var skippedUpdates = SkippedUpdates(total: 0)

  /// Stops the process if the rule's settings are invalid.
  private static func check(_ rule: any UpdateRule) {
    let name = type(of: rule).name
    for (what, number) in [("learning rate", rule.learningRate), ("weight decay", rule.weightDecay)] {
      guard number >= 0, number.isFinite else {
        fatalError("Optimizer: \(name) has a \(what) of \(number), which is not 0 or more")
      }
    }
    if let momentum = (rule as? any MomentumRule)?.momentum, !(0...1).contains(momentum) {
      fatalError("Optimizer: \(name) has a momentum of \(momentum), which is not in 0 … 1")
    }
  }

  /// An optimizer of all parameters of a model.
  ///
  /// - Parameters:
  ///   - groups: groups of the model's parameters with settings of their own; a parameter is in at most one group.
  ///   - precision: the precision of losses in `minimize` and `valueAndGradients(_:)`.
  ///   - lossScaling: how losses are scaled if products are `float16`.
  /// - Precondition: the rule's learning rate and weight decay are 0 or more, its momentum is in 0 … 1.
  public init(
    _ rule: any UpdateRule, for model: any Module, groups: [ParameterGroup] = [], precision: Precision = .float32,
    lossScaling: LossScaler.Settings = LossScaler.Settings()
  ) {
    Optimizer.check(rule)
    self.rule = rule
    self.precision = precision
    self.model = model.state
    parameters = self.model.parameters
    keys = self.model.entries.filter { $0.parameter != nil }.map(\.key)
    learningRate = rule.learningRate
    self.groups = groups
    if precision == .mixed {
      lossScaler = LossScaler(lossScaling, device: parameters.first?.value.device ?? .current)
    }
    groupOfParameter = Optimizer.groupIndices(of: parameters, in: groups)
    slots = zip(parameters, groupOfParameter).map { parameter, groupIndex in
      let rate = Optimizer.rate(rule.learningRate, of: groupIndex.map { groups[$0] }, rule)
      return rule.stateNames.map { name in
        Tensor(
          repeating: rule.initialValue(of: name, rate: rate), shape: parameter.shape, dtype: parameter.dtype,
          device: parameter.value.device)
      }
    }
  }

  private static func groupIndices(of parameters: [Parameter], in groups: [ParameterGroup]) -> [Int?] {
    var indices: [Parameter: Int] = [:]
    for (index, group) in groups.enumerated() {
      for parameter in group.parameters where indices.updateValue(index, forKey: parameter) != nil {
        fatalError("Optimizer: a parameter of shape \(parameter.shape) is in two groups")
      }
    }
    let known = Set(parameters)
    if let unknown = indices.keys.first(where: { !known.contains($0) }) {
      fatalError("Optimizer: a parameter of shape \(unknown.shape) in group \(indices[unknown]!) is not in the model")
    }
    return parameters.map { indices[$0] }
  }

  /// The learning rate of a group when the optimizer's rate is `rate`.
  private static func rate(_ rate: Double, of group: ParameterGroup?, _ rule: any UpdateRule) -> Double {
    guard let group else { return rate }
    guard let own = group.learningRate else { return rate * group.rateFactor }
    // With an initial rate of 0 there is no ratio to scale the group's rate by.
    return (rule.learningRate == 0 ? own : own * (rate / rule.learningRate)) * group.rateFactor
  }

  /// The rule with a group's weight decay and with the optimizer's `momentum`, if they are set.
  private func rule(of group: ParameterGroup?) -> any UpdateRule {
    var rule = rule
    if let decay = group?.weightDecay { rule.weightDecay = decay }
    guard let momentum, var moving = rule as? any MomentumRule, moving.momentum != 0 else { return rule }
    moving.momentum = momentum
    return moving
  }

  /// The size of the rule's state tensors in bytes.
  public var stateByteCount: Int {
    slots.joined().reduce(0) { $0 + $1.byteCount }
  }

  /// Evaluates the initial values of parameters and state, so that the first update runs the same plan as all others.
  /// The first update calls `prepare` if the caller has not done so.
  public func prepare() throws(DeviceError) {
    guard !isPrepared else { return }
    try eval(model.entries.map(\.box.storedValue) + slots.joined() + (lossScaler?.state ?? []))
    isPrepared = true
  }

  /// Builds a loss and takes one step against its gradients.
  ///
  /// A step that fails (an index out of range, not enough memory) changes nothing: when `minimize` throws, parameters,
  /// statistics, the rule's state and the random number source are unchanged.
  /// - Parameters:
  ///   - clipNorm: the maximum norm of all gradients together; gradients with a larger norm are scaled down to this
  ///     norm, as by `Gradients.clipped(toNorm:)`.
  ///   - loss: builds the loss, a tensor of one element.
  /// - Returns: the loss before the step, in the shape that `loss` gives it. Its computation is scheduled, but the host
  ///   does not wait for it.
  /// - Throws: what `loss` throws, `DeviceError` when the step cannot be computed, and `OptimizerError.skippedUpdates`.
  /// - Precondition: the loss depends on a parameter that is not frozen; see `valueAndGradients(of:_:)`.
  @discardableResult
  public func minimize(clipNorm: Double? = nil, _ loss: () throws -> Tensor) throws -> Tensor {
    var (value, gradients) = try valueAndGradients(loss)
    if let clipNorm { gradients = gradients.clipped(toNorm: clipNorm) }
    try update(consume gradients)
    return value
  }

  /// Builds a loss, a tensor of one element, and its gradients as `minimize` does: in the optimizer's precision, inside
  /// `atGradientPoint(_:)`, and with the loss scaled. The result is unscaled, in the shapes of the loss and of the
  /// parameters. Clip or accumulate the gradients and pass them to `update(_:)`. If that update fails, or if `loss`
  /// throws, statistics and the random number source return to their state before this call.
  public func valueAndGradients(_ loss: () throws -> Tensor) throws -> (value: Tensor, gradients: Gradients) {
    try prepare()
    let origin = StepOrigin(model)
    do {
      var result = try withPrecision(precision) {
        try atGradientPoint {
          if let lossScaler, try skippedUpdates.reachLimit() { try lossScaler.reportAnomaly(of: parameters, loss) }
          return try lossScaler?.valueAndGradients(of: parameters, loss)
            ?? ApusNN.valueAndGradients(of: parameters, loss)
        }
      }
      result.gradients.origins = [origin]
      return result
    } catch {
      origin.restore()
      throw error
    }
  }

  /// Runs `body`, a step that evaluates tensors several times. If `body` throws, the model's statistics and the random
  /// number source are restored.
  func restoring<R>(_ body: () throws -> R) throws -> R {
    let origin = StepOrigin(model, isHeld: true)
    do { return try body() } catch {
      origin.restore()
      throw error
    }
  }

  /// Runs `body` with the parameters at the point where the rule requires gradients. For most rules this point is the
  /// current value of the parameters; see `GradientPointRule` for the others.
  public func atGradientPoint<R>(_ body: () throws -> R) rethrows -> R {
    guard rule is any GradientPointRule else { return try body() }
    var values: [ObjectIdentifier: Tensor] = [:]
    for (index, parameter) in parameters.enumerated() where parameter.isTrainable {
      guard let rule = rule(of: groupOfParameter[index].map { groups[$0] }) as? any GradientPointRule else { continue }
      let value = parameter.box.storedValue
      let point = rule.point { .number($0, dtype: value.dtype, device: value.device) }
      values[ObjectIdentifier(parameter.box)] = point(value, slots[index])
    }
    return try Substitution.run(values, body)
  }

  /// Takes one step against given gradients. Parameters without a gradient stay unchanged.
  ///
  /// Old values are overwritten in place unless something else refers to them. Gradients get memory of their own only
  /// if the caller retains them. An update that fails changes nothing, as in `minimize`.
  public func update(_ gradients: consuming Gradients) throws(DeviceError) {
    try prepare()
    let origins = gradients.origins
    let former = FormerState(self)
    do throws(DeviceError) { try apply(consume gradients) } catch {
      former.restore(self)
      for origin in origins.reversed() { origin.restore() }
      throw error
    }
  }

  /// The values before an update.
  private struct FormerState {
    let step: Int
    let parameters: [FormerValue]
    let slots: [[FormerValue]]
    let scaler: [FormerValue]

    init(_ optimizer: Optimizer) {
      step = optimizer.step
      parameters = optimizer.parameters.map { FormerValue($0.box.storedValue) }
      slots = optimizer.slots.map { $0.map(FormerValue.init) }
      scaler = optimizer.lossScaler?.state.map(FormerValue.init) ?? []
    }

    func restore(_ optimizer: Optimizer) {
      optimizer.step = step
      for (parameter, former) in zip(optimizer.parameters, parameters) {
        if let value = former.tensor { parameter.box.storedValue = value }
      }
      for index in slots.indices { Self.restore(&optimizer.slots[index], slots[index]) }
      if var state = optimizer.lossScaler?.state {
        Self.restore(&state, scaler)
        optimizer.lossScaler?.state = state
      }
    }

    private static func restore(_ tensors: inout [Tensor], _ former: [FormerValue]) {
      for (index, value) in former.enumerated() {
        if let tensor = value.tensor { tensors[index] = tensor }
      }
    }
  }

  private func apply(_ gradients: consuming Gradients) throws(DeviceError) {
    step += 1
    let losses = gradients.losses
    assign(consume gradients)
    var results: [Tensor] = []
    results.reserveCapacity(parameters.count * (1 + (slots.first?.count ?? 0)) + LossScaler.stateNames.count)
    for (index, parameter) in parameters.enumerated() {
      results.append(parameter.box.storedValue)
      results.append(contentsOf: slots[index])
    }
    if let lossScaler { results.append(contentsOf: lossScaler.state) }
    try eval(results + losses)
    if let lossScaler { try skippedUpdates.note(lossScaler.skippedSteps) }
  }

  /// Builds the graph of the new values. Afterwards only this graph refers to the old values, so that the update can
  /// overwrite them.
  private func assign(_ gradients: consuming Gradients) {
    let isSameList =
      gradients.parameters.count == parameters.count
      && zip(gradients.parameters, parameters).allSatisfy { $0 === $1 }
    var formulas: [Formula] = []
    for (index, parameter) in parameters.enumerated() where parameter.isTrainable {
      guard let gradient = isSameList ? gradients.tensors[index] : gradients[parameter] else { continue }
      let value = parameter.box.storedValue
      if let old = slots[index].first?.dtype, old != value.dtype {
        fatalError("Optimizer: \(keys[index]) changed from \(old) to \(value.dtype); create a new optimizer")
      }
      let groupIndex = groupOfParameter[index]
      let known = formulas.firstIndex {
        $0.groupIndex == groupIndex && $0.dtype == value.dtype && $0.device === value.device
      }
      if known == nil { formulas.append(formula(groupIndex, value.dtype, value.device)) }
      let apply = formulas[known ?? formulas.count - 1].apply
      if parameter.updatesRows {
        let formula = RowFormula(apply: apply, isFinite: gradients.isFinite)
        parameter.box.storedValue = formula(value, gradient, &slots[index])
        continue
      }
      guard let isFinite = gradients.isFinite else {
        parameter.box.storedValue = apply(value, gradient, &slots[index])
        continue
      }
      var state = slots[index]
      parameter.box.storedValue = isFinite.select(apply(value, gradient, &state), value)
      slots[index] = zip(state, slots[index]).map { isFinite.select($0, $1) }
    }
    if let isFinite = gradients.isFinite { lossScaler?.update(isFinite) }
  }

  /// The update rule of a group, for one type on one device.
  private struct Formula {
    let groupIndex: Int?
    let dtype: DType
    let device: ComputeDevice
    let apply: ParameterUpdate
  }

  private func formula(_ groupIndex: Int?, _ dtype: DType, _ device: ComputeDevice) -> Formula {
    let numbers = recordedNumbers
    numbers?.formulas.append((groupIndex, dtype, device))
    var hasReturned = false
    let number = { (number: Double) in
      let tensor = Tensor.number(number, dtype: dtype, device: device)
      numbers?.tensors.append(tensor)
      if hasReturned { numbers?.isComplete = false }
      return tensor
    }
    let group = groupIndex.map { groups[$0] }
    let update = update(of: groupIndex, number)
    hasReturned = true
    guard let constraint = group?.constraint else {
      return Formula(groupIndex: groupIndex, dtype: dtype, device: device, apply: update)
    }
    return Formula(groupIndex: groupIndex, dtype: dtype, device: device) { value, gradient, state in
      // Compiled steps take the numbers of a constraint as constants, so they are not added to `recordedNumbers`; see
      // `constraintsVersion`.
      constraint(update(value, gradient, &state)) { .number($0, dtype: dtype, device: device) }
    }
  }
}

extension Optimizer {
  /// The rule's formula for the current step.
  /// - Parameter number: makes the scalars of the formula.
  private func update(of groupIndex: Int?, _ number: (Double) -> Tensor) -> ParameterUpdate {
    let group = groupIndex.map { groups[$0] }
    return rule(of: group).update(
      step: StepCount(step, skipped: lossScaler?.skippedSteps), rate: Optimizer.rate(learningRate, of: group, rule),
      number: number)
  }

  /// What the update formula of a parameter depends on.
  typealias FormulaType = (groupIndex: Int?, dtype: DType, device: ComputeDevice)

  /// The numbers that the formulas of one update take as scalars.
  final class Numbers {
    /// The formulas, in the order in which they were made.
    var formulas: [FormulaType] = []
    /// The scalars of the formulas, in the order in which they were made.
    var tensors: [Tensor] = []
    /// Whether all scalars were made before `UpdateRule.update` returned.
    var isComplete = true
  }

  /// The numbers of the formulas for the current step, in the order of `Numbers.tensors`.
  func numbers(of formulas: [FormulaType]) -> [Double] {
    var values: [Double] = []
    for formula in formulas {
      _ = update(of: formula.groupIndex) { value in
        values.append(value)
        return .number(value, dtype: formula.dtype, device: formula.device)
      }
    }
    return values
  }
}

extension Optimizer {
  /// The rule's state tensors, under keys such as `0.weight.momentum_buffer`, each in the shape and type of its
  /// parameter. With loss scaling the scalars of the scaler come last.
  public var state: [(key: String, value: Tensor)] {
    zip(keys, slots).flatMap { key, slots in
      zip(rule.stateNames, slots).map { (key: "\(key).\($0)", value: $1) }
    } + zip(LossScaler.stateNames, lossScaler?.state ?? []).map { (key: Optimizer.scalerKey($0), value: $1) }
  }

  private static func scalerKey(_ name: String) -> String { "loss_scaler.\(name)" }

  /// Restores saved state.
  /// - Parameter value: returns the tensor under a key, with the shape and type that it has in `state`.
  public func restore<E: Error>(step: Int, value: (_ key: String) throws(E) -> Tensor) throws(E) {
    var restored = slots
    for (parameter, key) in keys.enumerated() {
      for (slot, name) in rule.stateNames.enumerated() {
        let key = "\(key).\(name)"
        restored[parameter][slot] = Optimizer.checked(try value(key), like: slots[parameter][slot], key)
      }
    }
    if let scaler = lossScaler {
      var state = scaler.state
      for (index, name) in LossScaler.stateNames.enumerated() {
        let key = Optimizer.scalerKey(name)
        state[index] = Optimizer.checked(try value(key), like: state[index], key)
      }
      lossScaler?.state = state
    }
    slots = restored
    skippedUpdates = SkippedUpdates(total: nil)
    self.step = step
    isPrepared = false
  }

  private static func checked(_ tensor: Tensor, like old: Tensor, _ key: String) -> Tensor {
    guard tensor.shape == old.shape, tensor.dtype == old.dtype else {
      fatalError("Optimizer: \(key) is \(tensor.dtype) of shape \(tensor.shape)")
    }
    return tensor
  }
}
