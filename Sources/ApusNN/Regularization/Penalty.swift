import ApusTensor

/// A term of the loss that grows with the weights.
///
/// ```swift
/// let penalty = Penalty(.squaredL2(1e-4), on: model)
/// try optimizer.minimize { crossEntropy(model(images), labels) + penalty() }
/// ```
/// For update rules without adaptive steps the squared norm times `λ` equals a weight decay of `2λ`. The gradient of a
/// penalty enters the averages of adaptive rules, as coupled weight decay does.
public struct Penalty: Sendable {
  /// The term that is added to the loss.
  public enum Kind: Hashable, Sendable {
    /// `λ Σ |w|` (Tibshirani, 1996). The gradient at 0 is 0.
    case l1(Double)
    /// `λ Σ w²`, the square of the norm, usually called L2 (Hoerl, Kennard, 1970).
    case squaredL2(Double)
    /// `λ √(Σ w²)`, the norm itself, over all weights together. The gradient at 0 is 0.
    case l2(Double)
    /// `l1 Σ |w| + squaredL2 Σ w²` (Zou, Hastie, 2005).
    case elasticNet(l1: Double, squaredL2: Double)
  }

  public var kind: Kind
  /// The parameters that are penalized.
  public let parameters: [Parameter]

  /// - Parameters:
  ///   - model: the model, whose parameters are listed when the penalty is created.
  ///   - isExempt: whether a parameter is left out; by default parameters with at most one axis, such as biases.
  public init(
    _ kind: Kind, on model: any Module,
    exempting isExempt: ((_ key: String, _ parameter: Parameter) -> Bool)? = nil
  ) {
    self.init(kind, on: model.state.parameters { !(isExempt?($0, $1) ?? ($1.shape.rank <= 1)) })
  }

  /// A penalty on some parameters.
  public init(_ kind: Kind, on parameters: [Parameter]) {
    self.kind = kind
    self.parameters = parameters
  }

  /// The penalty term, a scalar of shape `[]`; `float32` for 16-bit parameters. If only its factors change, the device
  /// reuses the plan (the prepared steps) of the update.
  public func callAsFunction() -> Tensor {
    switch kind {
    case .l1(let factor): sum { $0.abs() } * factor
    case .squaredL2(let factor): sum { $0.squared() } * factor
    case .l2(let factor): sum { $0.squared() }.safeRoot() * factor
    case .elasticNet(let l1, let squaredL2): sum { $0.abs() } * l1 + sum { $0.squared() } * squaredL2
    }
  }

  private func sum(_ term: (Tensor) -> Tensor) -> Tensor {
    parameters.map(\.value).totalSum(of: term)
  }
}
