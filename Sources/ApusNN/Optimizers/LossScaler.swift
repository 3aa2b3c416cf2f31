import ApusTensor

/// Dynamic loss scaling (Micikevicius et al., 2018; as `torch.amp.GradScaler`): a factor keeps small gradients out of the
/// range where `float16` has no digits left, and follows what the gradients allow.
/// ```
/// gₛ = ∇(scale · loss),  g = gₛ / scale
/// all g finite:      the update is made; after growthInterval such steps  scale ← growthFactor · scale
/// NaN or infinity:   parameters and the optimizer's state stay;          scale ← backoffFactor · scale
/// ```
/// All of it is part of the update's plan: the host does not wait. It reads one update late how many were given up, and
/// an optimizer stops after 20 in a row.
public struct LossScaler: Sendable {
  /// How the scale starts and moves.
  public struct Settings: Hashable, Sendable {
    /// The first factor.
    public var initialScale: Double
    /// What the factor is multiplied by after steps without overflow.
    public var growthFactor: Double
    /// What it is multiplied by after an overflow.
    public var backoffFactor: Double
    /// Steps without overflow until the scale grows.
    public var growthInterval: Int

    public init(
      initialScale: Double = 65536, growthFactor: Double = 2, backoffFactor: Double = 0.5, growthInterval: Int = 2000
    ) {
      self.initialScale = initialScale
      self.growthFactor = growthFactor
      self.backoffFactor = backoffFactor
      self.growthInterval = growthInterval
    }
  }

  /// How the scale starts and moves.
  public let settings: Settings
  /// The scale does not shrink any further: gradients that are not finite then are not because of it.
  static let floor = 0x1p-16
  /// The factor of the next step, `float32` of shape `[]`.
  public private(set) var scale: Tensor
  /// Steps without overflow since the scale has changed, `int32` of shape `[]`.
  public private(set) var goodSteps: Tensor
  /// Updates that were given up, `int32` of shape `[]`.
  public private(set) var skippedSteps: Tensor

  /// A scale on a device, before its first step.
  public init(_ settings: Settings = Settings(), device: ComputeDevice = .current) {
    guard settings.initialScale > 0, settings.growthFactor >= 1, (0..<1).contains(settings.backoffFactor),
      settings.growthInterval > 0
    else { fatalError("LossScaler: \(settings) does not let the scale grow and shrink") }
    self.settings = settings
    scale = Tensor(repeating: settings.initialScale, shape: [], device: device)
    goodSteps = .zeros([], dtype: .int32, device: device)
    skippedSteps = .zeros([], dtype: .int32, device: device)
  }

  /// The loss that is differentiated, in `float32`.
  public func scaled(_ loss: Tensor) -> Tensor { (loss.dtype == .float64 ? loss : loss.cast(to: .float32)) * scale }

  /// The gradients of the loss itself, from those of the scaled one, and whether they are finite; zeros where not all of
  /// them are.
  public func unscaled(_ gradients: consuming Gradients) -> Gradients {
    var isFinite: Tensor?
    for case let gradient? in gradients.tensors {
      guard gradient.device == scale.device else {
        fatalError("LossScaler: a parameter is on \(gradient.device.name), the loss's scale on \(scale.device.name)")
      }
      let flag = gradient.isFinite().all()
      isFinite = isFinite.map { $0.logicalAnd(flag) } ?? flag
    }
    guard let isFinite else { return gradients }
    let inverse = scale.reciprocal()
    for index in gradients.tensors.indices {
      guard let gradient = gradients.tensors[index] else { continue }
      // With the flag ahead of the update, what is kept and what is new are chosen in the update's own pass over memory.
      let zero = Tensor.number(0, dtype: gradient.dtype, device: gradient.device)
      gradients.tensors[index] = isFinite.select(gradient * inverse.cast(to: gradient.dtype), zero)
    }
    gradients.isFinite = isFinite
    return gradients
  }

  /// Moves the scale after a step whose gradients were finite, or not.
  mutating func update(_ isFinite: Tensor) {
    let zero = Tensor.number(0, dtype: .int32, device: scale.device)
    let good = isFinite.select(goodSteps + 1, zero)
    let grows = good .>= settings.growthInterval
    // A scale beyond all numbers would never be left again.
    let larger = scale * settings.growthFactor
    let grown = grows.logicalAnd(larger.isFinite()).select(larger, scale)
    skippedSteps = isFinite.select(skippedSteps, skippedSteps + 1)
    // Below the floor the reciprocal would leave the range in turn.
    let floor = Tensor.number(LossScaler.floor, dtype: .float32, device: scale.device)
    let smaller = (scale * settings.backoffFactor).maximum(floor)
    scale = isFinite.select(grown, smaller)
    goodSteps = grows.select(zero, good)
  }

  /// What a checkpoint holds.
  static let stateNames = ["scale", "good_steps", "skipped_steps"]

  var state: [Tensor] {
    get { [scale, goodSteps, skippedSteps] }
    set { (scale, goodSteps, skippedSteps) = (newValue[0], newValue[1], newValue[2]) }
  }
}

extension LossScaler {
  /// As the function of this name, with the loss scaled in between.
  func valueAndGradients(
    of parameters: [Parameter], _ loss: () throws -> Tensor
  ) rethrows -> (value: Tensor, gradients: Gradients) {
    var result = try recordingGradients {
      let value = try loss()
      return expectingOverflow {
        (value: value, gradients: unscaled(differentiate(scaled(value), parameters)))
      }
    }
    result.gradients.losses = [result.value]
    result.value.evaluateWithNext()
    return result
  }
}
