import ApusSystem

/// A recurrent layer over a whole sequence, in one direction: a matrix product and a cell for each time step.
///
/// Earlier steps of the plan compute `x`, the product of the inputs and their weights plus the bias. Gates are
/// concatenated in PyTorch's order. `G` is the number of gates, `p = hₜ₋₁ · W` is the product of the state and the
/// weight, and `b` is the bias that a `gru` adds to `p`:
///
/// - `tanh`, `relu`: 1 gate, `hₜ = tanh(xₜ + p)` or `hₜ = relu(xₜ + p)` (Elman, 1990).
/// - `lstm`: 4 gates, `(i, f, g, o) = (σ, σ, tanh, σ)(xₜ + p)`, `cₜ = f · cₜ₋₁ + i · g`, `hₜ = o · tanh cₜ` (Gers et
///   al., 2000).
/// - `gru`: 3 gates, `r = σ(xᵣ + pᵣ + bᵣ)`, `z = σ(x_z + p_z + b_z)`, `n = tanh(xₙ + r · (pₙ + bₙ))`,
///   `hₜ = (1 − z) · n + z · hₜ₋₁` (Cho et al., 2014).
///
/// The result of a pass is a concatenation:
///
/// - `forward` reads `x: [times, batch, G · size]`, states, `weight: [size, G · size]`, and for `gru` a bias. The
///   result is `h: [times, batch, size]`, the last `h` (and `c`), and, if `keeps`, the kept values, which the backward
///   pass reads.
/// - `backward` reads states, `weight: [G · size, size]`, the result of `forward` with kept values, and the gradients
///   of `h` and of the last states. The result is the gradients of `x` and of the initial states; for `gru` also the
///   gradients of the biased product `p + b`, `[times, batch, 3 · size]`.
///
/// The kept values of each time step and sequence are `i f g o c` for `lstm`, and `r z n` and `pₙ + bₙ` for `gru`.
/// At a time step at which the mask of a sequence is false, the states of the sequence do not change, its kept values
/// are 0 (except `c`), and the gradient of its `x` is 0. The result of a sequence does not depend on the other
/// sequences of the batch or on their number.
///
/// An operand is an index into `Plan.values`; the elements of that value are contiguous.
public struct Recurrent: Hashable, Sendable {
  /// The kind of a cell.
  public enum Kind: Int, Hashable, Sendable {
    case tanh, relu, lstm, gru

    /// The number of gates of a cell.
    public var gates: Int { self == .lstm ? 4 : self == .gru ? 3 : 1 }
  }
  /// Whether a step computes the states, or the gradients.
  public enum Pass: String, Hashable, Sendable { case forward, backward }

  /// The extents of all operands.
  public struct Geometry: Hashable, Sendable {
    /// The kind of the cell.
    public var kind: Kind
    /// The number of time steps.
    public var times: Int
    /// The number of sequences.
    public var batch: Int
    /// The number of elements of a state.
    public var size: Int

    /// Creates a geometry from its extents.
    public init(kind: Kind, times: Int, batch: Int, size: Int) {
      self.kind = kind
      self.times = times
      self.batch = batch
      self.size = size
    }

    /// The number of gates, which are concatenated in `input`.
    public var gates: Int { kind.gates }
    /// The number of carried states: `h`, and `c` for `lstm`.
    public var states: Int { kind == .lstm ? 2 : 1 }
    /// The number of kept values for each state element and time step.
    public var kept: Int { kind == .lstm ? 5 : kind == .gru ? 4 : 0 }
    /// The number of elements of one state in all sequences.
    public var stateCount: Int { batch * size }
    /// The number of elements of one state in all sequences and time steps.
    public var sequenceCount: Int { times * stateCount }
    /// The offset of the last states in the result of the forward pass.
    public var lastStart: Int { sequenceCount }
    /// The offset of the kept values in the result of the forward pass.
    public var keptStart: Int { sequenceCount + states * stateCount }
    /// The offset of the gradients of the states in the result of the backward pass.
    public var stateGradientStart: Int { gates * sequenceCount }
    /// The offset of the gradients of the biased product in the result of the backward pass.
    public var productGradientStart: Int { gates * sequenceCount + states * stateCount }

    /// The number of multiply-adds in a pass, for the products of the states and the weight; `Int.max` on overflow.
    /// Another step of the plan computes the products of the inputs and their weights.
    public var multiplyAdds: Int { sequenceCount.saturatingProduct(gates * size) }

    /// The number of elements of the result of a pass.
    public func resultCount(_ pass: Pass, keeps: Bool) -> Int {
      switch pass {
      case .forward: keptStart + (keeps ? kept * sequenceCount : 0)
      case .backward: productGradientStart + (kind == .gru ? gates * sequenceCount : 0)
      }
    }
  }

  /// Whether this is the forward or the backward pass.
  public var pass: Pass
  /// The extents.
  public var geometry: Geometry
  /// Whether the layer reads the sequence from the last time step to the first.
  public var isReversed: Bool
  /// Whether the forward pass keeps the values that the backward pass needs.
  public var keeps: Bool
  /// `float32` or `float64`: the type of all values except the mask.
  public var dtype: DType
  /// `x`, the products of the inputs and their weights plus the bias, for the forward pass; `nil` in the backward pass.
  public var input: Int?
  /// The initial states, `[batch, size]` each.
  public var states: [Int]
  /// The weight, in the layout of the pass.
  public var weight: Int
  /// The bias `[3 · size]`, for the forward pass of a `gru`; otherwise `nil`.
  public var bias: Int?
  /// The mask of type `bool`, `[times, batch]`: true where a sequence has an element; `nil` if all sequences have all
  /// elements.
  public var mask: Int?
  /// The result of the forward pass, which the backward pass reads; `nil` in the forward pass.
  public var forward: Int?
  /// The gradient of `h` at all time steps; `nil` for none.
  public var gradient: Int?
  /// The gradients of the last states; `nil` for none.
  public var lastGradients: [Int?]
  /// The value that receives the result.
  public var result: Int

  /// Creates a forward pass.
  public init(
    forward geometry: Geometry, isReversed: Bool, keeps: Bool, dtype: DType, input: Int, states: [Int], weight: Int,
    bias: Int?, mask: Int?, result: Int
  ) {
    pass = .forward
    self.geometry = geometry
    self.isReversed = isReversed
    self.keeps = keeps
    self.dtype = dtype
    self.input = input
    self.states = states
    self.weight = weight
    self.bias = bias
    self.mask = mask
    lastGradients = []
    self.result = result
  }

  /// Creates a backward pass.
  public init(
    backward geometry: Geometry, isReversed: Bool, dtype: DType, states: [Int], weight: Int, mask: Int?, forward: Int,
    gradient: Int?, lastGradients: [Int?], result: Int
  ) {
    pass = .backward
    self.geometry = geometry
    self.isReversed = isReversed
    keeps = true
    self.dtype = dtype
    self.states = states
    self.weight = weight
    self.mask = mask
    self.forward = forward
    self.gradient = gradient
    self.lastGradients = lastGradients
    self.result = result
  }

  /// The values that the step reads.
  public var reads: [Int] {
    [input, weight, bias, mask, forward, gradient].compactMap(\.self) + states + lastGradients.compactMap(\.self)
  }

  /// The indices of the time steps in processing order.
  public var order: [Int] { iterationOrder(geometry.times, isReversed: isReversed) }

  /// The floating-point operations: two for each multiply-add of the products.
  public var flops: Double { 2 * Double(geometry.multiplyAdds) }
}

extension Recurrent: StepFamily {
  func mapped(read: (Int) -> Int, write: (Int) -> Int) -> Recurrent {
    var step = self
    step.input = step.input.map(read)
    step.states = step.states.map(read)
    step.weight = read(step.weight)
    step.bias = step.bias.map(read)
    step.mask = step.mask.map(read)
    step.forward = step.forward.map(read)
    step.gradient = step.gradient.map(read)
    step.lastGradients = step.lastGradients.map { $0.map(read) }
    step.result = write(step.result)
    return step
  }
}
