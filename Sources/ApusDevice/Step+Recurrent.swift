/// A recurrent layer over a whole sequence, in one direction: a product and a cell for each time, from inputs whose
/// products are there already.
///
/// Gates lie one behind the other, in PyTorch's order; `G` is their number, `p = hₜ₋₁ · W` the product of the state:
///
/// | kind | gates | cell |
/// |---|---|---|
/// | `tanh`, `relu` | 1 | `hₜ = f(xₜ + p)` (Elman, 1990) |
/// | `lstm` | 4 | `(i, f, g, o) = (σ, σ, tanh, σ)(xₜ + p)`, `cₜ = f · cₜ₋₁ + i · g`, `hₜ = o · tanh cₜ` (Gers et al., 2000) |
/// | `gru` | 3 | `r = σ(xᵣ + pᵣ + bᵣ)`, `z = σ(x_z + p_z + b_z)`, `n = tanh(xₙ + r · (pₙ + bₙ))`, `hₜ = (1 − z) · n + z · hₜ₋₁` (Cho et al., 2014) |
///
/// | pass | reads | result, one part behind the other |
/// |---|---|---|
/// | `forward` | `input: [times, batch, G · size]`, states, `weight: [size, G · size]`, bias | `h: [times, batch, size]`, the last `h` (and `c`), and what is kept |
/// | `backward` | states, `weight: [G · size, size]`, `forward` with all that it kept, gradients of its parts | gradients of the input and of the states; for `gru` those of the biased product, `[times, batch, 3 · size]` |
///
/// Kept are for each time and sequence `i f g o c` of an `lstm`, and `r z n` and `pₙ + bₙ` of a `gru`. Where the mask says
/// that a sequence has no element, its states stay as they are, 0 is kept (and `c`), and the input has no gradient.
/// All values are contiguous. What is computed for a sequence does not depend on those beside it, nor on their number.
public struct Recurrent: Hashable, Sendable {
  /// The cell.
  public enum Kind: Int, Hashable, Sendable { case tanh, relu, lstm, gru }
  /// The direction.
  public enum Pass: String, Hashable, Sendable { case forward, backward }

  /// The extents of all operands.
  public struct Geometry: Hashable, Sendable {
    /// The row of the table.
    public var kind: Kind
    /// Elements of a sequence.
    public var times: Int
    /// Sequences.
    public var batch: Int
    /// Elements of a state.
    public var size: Int

    /// The extents one by one.
    public init(kind: Kind, times: Int, batch: Int, size: Int) {
      self.kind = kind
      self.times = times
      self.batch = batch
      self.size = size
    }

    /// Gates of a time: those that lie one behind the other in `input`.
    public var gates: Int { kind == .lstm ? 4 : kind == .gru ? 3 : 1 }
    /// States that are carried: `h`, and `c` of an `lstm`.
    public var states: Int { kind == .lstm ? 2 : 1 }
    /// Numbers that are kept for each element of a state.
    public var kept: Int { kind == .lstm ? 5 : kind == .gru ? 4 : 0 }
    /// Elements of one state.
    public var stateCount: Int { batch * size }
    /// Elements of the states of all times.
    public var sequenceCount: Int { times * stateCount }
    /// Where the last states begin in the result of the forward pass.
    public var lastStart: Int { sequenceCount }
    /// Where that begins which is kept.
    public var keptStart: Int { sequenceCount + states * stateCount }
    /// Where the gradients of the states begin in the result of the backward pass.
    public var stateGradientStart: Int { gates * sequenceCount }
    /// Where those of the biased product begin.
    public var productGradientStart: Int { gates * sequenceCount + states * stateCount }

    /// The elements of the result of a pass.
    public func resultCount(_ pass: Pass, keeps: Bool) -> Int {
      switch pass {
      case .forward: keptStart + (keeps ? kept * sequenceCount : 0)
      case .backward: productGradientStart + (kind == .gru ? gates * sequenceCount : 0)
      }
    }
  }

  /// The direction.
  public var pass: Pass
  /// The extents.
  public var geometry: Geometry
  /// Whether time runs from the last element to the first.
  public var isReversed: Bool
  /// Whether the forward pass keeps what the backward one needs.
  public var keeps: Bool
  /// `float32` or `float64`: the type of all values but the mask.
  public var dtype: DType
  /// The products of the inputs, with their biases; for the forward pass.
  public var input: Int?
  /// The states ahead of the first time, `[batch, size]` each.
  public var states: [Int]
  /// The weight as the pass multiplies with it, see the table.
  public var weight: Int
  /// `[3 · size]`, for the forward pass of a `gru`.
  public var bias: Int?
  /// Of type `bool`, `[times, batch]`: where a sequence has an element; `nil` for everywhere.
  public var mask: Int?
  /// The result of the forward pass, for the backward one.
  public var forward: Int?
  /// The gradient of `h` of all times, where there is one.
  public var gradient: Int?
  /// The gradients of the last states, where there are some.
  public var lastGradients: [Int?]
  /// The value for the result.
  public var result: Int

  /// A forward pass.
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

  /// A backward pass.
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

  /// The values that are read, all of them whole.
  public var reads: [Int] {
    [input, weight, bias, mask, forward, gradient].compactMap(\.self) + states + lastGradients.compactMap(\.self)
  }

  /// The places of the elements in the order in which time runs.
  public var order: [Int] { isReversed ? (0..<geometry.times).reversed() : Array(0..<geometry.times) }

  /// Multiply-adds twice: of the products.
  public var flops: Double { 2 * Double(geometry.sequenceCount) * Double(geometry.gates * geometry.size) }
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
