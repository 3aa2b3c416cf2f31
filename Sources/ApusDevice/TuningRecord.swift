/// A device's measurements of the kernels that can compute one step.
public struct TuningRecord: Hashable, Sendable {
  /// A measured kernel.
  public struct Candidate: Hashable, Sendable {
    /// The outcome of a measurement.
    public enum Outcome: Hashable, Sendable {
      /// The kernel returned the same values as most kernels, in this time.
      case seconds(Double)
      /// The kernel could not be built or run, for this reason.
      case failed(String)
      /// The kernel returned other values than most kernels.
      case wrong
    }

    /// The name of the kernel: the shape of its tiles.
    public var name: String
    /// The time of the kernel, or why it cannot be used.
    public var outcome: Outcome

    /// Creates a candidate from its fields.
    public init(name: String, outcome: Outcome) {
      self.name = name
      self.outcome = outcome
    }

    /// The time; `nil` if the kernel failed or returned wrong values.
    public var seconds: Double? {
      if case .seconds(let time) = outcome { time } else { nil }
    }
  }

  /// The steps to which the choice applies: the kernel family, the types, and the classes of the sizes. Sizes between
  /// the same two powers of two are in one class.
  public var problem: String
  /// The cost of the measured step.
  public var cost: StepCost
  /// All kernels; the first is the default without a measurement.
  public var candidates: [Candidate]
  /// The kernel that is used from now on; `nil` when none works.
  public var chosen: String?

  /// Creates a record from its fields.
  public init(problem: String, cost: StepCost, candidates: [Candidate], chosen: String?) {
    self.problem = problem
    self.cost = cost
    self.candidates = candidates
    self.chosen = chosen
  }
}
