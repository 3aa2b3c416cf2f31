/// What a device measured of the kernels that can do one step.
public struct TuningRecord: Hashable, Sendable {
  /// One of the kernels.
  public struct Candidate: Hashable, Sendable {
    /// What became of it.
    public enum Outcome: Hashable, Sendable {
      /// It gave the same numbers as the others, in this time.
      case seconds(Double)
      /// It could not be built or run, and why.
      case failed(String)
      /// It gave other numbers than most of the others.
      case wrong
    }

    /// The shape of its tiles.
    public var name: String
    /// Its time, or why it has none.
    public var outcome: Outcome

    /// A candidate from its parts.
    public init(name: String, outcome: Outcome) {
      self.name = name
      self.outcome = outcome
    }

    /// The time where it has one.
    public var seconds: Double? {
      if case .seconds(let time) = outcome { time } else { nil }
    }
  }

  /// The family, the types, and the classes of sizes for which the choice holds.
  public var problem: String
  /// The step that was measured; its operations are counted.
  public var cost: StepCost
  /// All kernels, the one that is taken without a measurement first.
  public var candidates: [Candidate]
  /// Which of them is taken from now on; `nil` where none works.
  public var chosen: String?

  /// A record from its parts.
  public init(problem: String, cost: StepCost, candidates: [Candidate], chosen: String?) {
    self.problem = problem
    self.cost = cost
    self.candidates = candidates
    self.chosen = chosen
  }
}
