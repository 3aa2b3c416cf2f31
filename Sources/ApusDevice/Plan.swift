/// A memory-planned list of steps: prepared once by a device, run many times.
public struct Plan: Sendable {
  /// One array of a plan.
  public struct Value: Hashable, Sendable {
    public enum Storage: Hashable, Sendable {
      /// The plan's input buffer of this index.
      case input(Int)
      /// The plan's output buffer of this index.
      case output(Int)
      /// A place in one of the plan's slabs, which live as long as one run.
      case scratch(slab: Int, byteOffset: Int)
    }

    public var dtype: DType
    public var elementCount: Int
    public var storage: Storage

    public init(dtype: DType, elementCount: Int, storage: Storage) {
      self.dtype = dtype
      self.elementCount = elementCount
      self.storage = storage
    }

    public var byteCount: Int { elementCount * dtype.byteCount }
  }

  /// An output buffer. A donated input is written in place: the same buffer is then passed as that
  /// input and as this output.
  public struct Output: Hashable, Sendable {
    public var byteCount: Int
    public var donatedInput: Int?

    public init(byteCount: Int, donatedInput: Int? = nil) {
      self.byteCount = byteCount
      self.donatedInput = donatedInput
    }
  }

  /// A step with the names of the operations it came from, for errors, profiles and anomalies.
  public struct PlannedStep: Sendable {
    public var step: Step
    public var names: [String]

    public init(step: Step, names: [String]) {
      self.step = step
      self.names = names
    }
  }

  public var values: [Value]
  public var steps: [PlannedStep]
  public var inputCount: Int
  public var outputs: [Output]
  /// Byte sizes of the scratch slabs; none is above the device's largest allocation.
  public var slabs: [Int]
  /// The lanes of the scalar bank.
  public var scalars: [Lane]

  public init(
    values: [Value] = [], steps: [PlannedStep] = [], inputCount: Int = 0, outputs: [Output] = [],
    slabs: [Int] = [], scalars: [Lane] = []
  ) {
    self.values = values
    self.steps = steps
    self.inputCount = inputCount
    self.outputs = outputs
    self.slabs = slabs
    self.scalars = scalars
  }
}
