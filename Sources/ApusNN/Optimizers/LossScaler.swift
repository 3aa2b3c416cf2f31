import ApusTensor

/// Dynamic loss scaling (Micikevicius et al., 2018; as `torch.amp.GradScaler`): a factor of the loss, the scale, keeps
/// small gradients from underflowing in `float16`. The scale grows while the gradients are finite and shrinks when they
/// overflow.
/// ```text
/// gₛ = ∇(scale · loss),  g = gₛ / scale
/// all g finite:      the update is applied; after growthInterval such steps  scale ← growthFactor · scale
/// NaN or infinity:   parameters and optimizer state stay unchanged;          scale ← backoffFactor · scale
/// ```
/// The device does all of this in the same plan (compiled graph) as the update, so the host does not wait for the
/// device. The host reads the number of skipped updates one update late, and `Optimizer` throws an error after 20
/// skipped updates in a row.
public struct LossScaler: Sendable {
  /// The initial scale and how it changes.
  public struct Settings: Hashable, Sendable {
    /// The scale in the first step.
    public var initialScale: Double
    /// The factor by which the scale grows after `growthInterval` steps without overflow.
    public var growthFactor: Double
    /// The factor by which the scale shrinks after an overflow.
    public var backoffFactor: Double
    /// The number of consecutive steps without overflow before the scale grows.
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

  /// The initial scale and how it changes.
  public let settings: Settings
  /// The smallest scale: if gradients are still not finite at this scale, the scale is not the cause.
  static let floor = 0x1p-16
  /// The factor of the loss in the next step, `float32` of shape `[]`.
  public private(set) var scale: Tensor
  /// The number of consecutive steps without overflow since the scale last grew, `int32` of shape `[]`.
  public private(set) var goodSteps: Tensor
  /// The number of skipped updates, `int32` of shape `[]`.
  public private(set) var skippedSteps: Tensor

  /// A scaler on a device, before its first step.
  public init(_ settings: Settings = Settings(), device: ComputeDevice = .current) {
    guard settings.initialScale > 0, settings.growthFactor >= 1, (0..<1).contains(settings.backoffFactor),
      settings.growthInterval > 0
    else {
      fatalError(
        "LossScaler: \(settings): initialScale and growthInterval must be positive, growthFactor at least 1, and "
          + "backoffFactor in 0 ..< 1")
    }
    self.settings = settings
    scale = Tensor(repeating: settings.initialScale, shape: [], device: device)
    goodSteps = .zeros([], dtype: .int32, device: device)
    skippedSteps = .zeros([], dtype: .int32, device: device)
  }

  /// The loss times the scale, in the shape of the loss: differentiate it in place of the loss. `float64` losses keep
  /// their type, others become `float32`.
  public func scaled(_ loss: Tensor) -> Tensor { (loss.dtype == .float64 ? loss : loss.cast(to: .float32)) * scale }

  /// Divides the gradients of the scaled loss by the scale and records whether all gradients are finite. If one is not
  /// finite, all gradients become zeros. The shapes stay the same.
  /// - Precondition: the gradients are on the device of the scale.
  public func unscaled(_ gradients: consuming Gradients) -> Gradients {
    var isFinite: Tensor?
    for case let gradient? in gradients.tensors {
      guard gradient.device == scale.device else {
        fatalError("LossScaler: a parameter is on \(gradient.device.name), the loss scale on \(scale.device.name)")
      }
      let flag = gradient.isFinite().all()
      isFinite = isFinite.map { $0.logicalAnd(flag) } ?? flag
    }
    guard let isFinite else { return gradients }
    let inverse = scale.reciprocal()
    for index in gradients.tensors.indices {
      guard let gradient = gradients.tensors[index] else { continue }
      // `isFinite` needs all gradients, so it is computed before the update. This selection, and the one in `Optimizer`
      // between old and new values, are fused into the update's pass over memory.
      let zero = Tensor.number(0, dtype: gradient.dtype, device: gradient.device)
      gradients.tensors[index] = isFinite.select(gradient * inverse.cast(to: gradient.dtype), zero)
    }
    gradients.isFinite = isFinite
    return gradients
  }

  /// Updates the scale after a step, given whether its gradients were finite.
  mutating func update(_ isFinite: Tensor) {
    let zero = Tensor.number(0, dtype: .int32, device: scale.device)
    let good = isFinite.select(goodSteps + 1, zero)
    let grows = good .>= settings.growthInterval
    // An infinite scale would never shrink again.
    let larger = scale * settings.growthFactor
    let grown = grows.logicalAnd(larger.isFinite()).select(larger, scale)
    skippedSteps = isFinite.select(skippedSteps, skippedSteps + 1)
    // Without a floor, the scale could shrink until its reciprocal overflows.
    let floor = Tensor.number(LossScaler.floor, dtype: .float32, device: scale.device)
    let smaller = (scale * settings.backoffFactor).maximum(floor)
    scale = isFinite.select(grown, smaller)
    goodSteps = grows.select(zero, good)
  }

  /// The keys of the state in a checkpoint.
  static let stateNames = ["scale", "good_steps", "skipped_steps"]

  var state: [Tensor] {
    get { [scale, goodSteps, skippedSteps] }
    set { (scale, goodSteps, skippedSteps) = (newValue[0], newValue[1], newValue[2]) }
  }
}

extension LossScaler {
  /// Like the global `valueAndGradients(of:_:)`, but differentiates the scaled loss and unscales the gradients.
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
