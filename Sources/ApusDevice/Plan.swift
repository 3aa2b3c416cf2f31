/// A memory-planned list of steps: prepared once by a device, run many times.
public struct Plan: Hashable, Sendable {
  /// One array of a plan.
  public struct Value: Hashable, Sendable {
    /// Where the bytes of a value are.
    public enum Storage: Hashable, Sendable {
      /// The plan's input buffer of this index.
      case input(Int)
      /// The plan's output buffer of this index.
      case output(Int)
      /// A place in one of the plan's slabs, which live as long as one run.
      case scratch(slab: Int, byteOffset: Int)
    }

    /// The type of the stored elements.
    public var dtype: DType
    /// The number of elements that are stored one after the other.
    public var elementCount: Int
    /// The memory of the value.
    public var storage: Storage

    /// A value from its parts.
    public init(dtype: DType, elementCount: Int, storage: Storage) {
      self.dtype = dtype
      self.elementCount = elementCount
      self.storage = storage
    }

    /// The size of the elements in bytes.
    public var byteCount: Int { elementCount * dtype.byteCount }
  }

  /// An output buffer. A donated input is written in place: the same buffer is then passed as that
  /// input and as this output. No step that may still meet a wrong index runs after one that writes it, so that a run
  /// which fails has changed nothing.
  public struct Output: Hashable, Sendable {
    /// The size in bytes of the buffer that the caller provides.
    public var byteCount: Int
    /// The input whose buffer the output takes over, where there is one.
    public var donatedInput: Int?

    /// An output of its own memory, or in that of an input.
    public init(byteCount: Int, donatedInput: Int? = nil) {
      self.byteCount = byteCount
      self.donatedInput = donatedInput
    }
  }

  /// A step with the names of the operations it came from, for errors, profiles and anomalies.
  public struct PlannedStep: Hashable, Sendable {
    /// What is done.
    public var step: Step
    /// The operations that the step computes, for logs and profiles.
    public var names: [String]

    /// A step and the operations in it.
    public init(step: Step, names: [String]) {
      self.step = step
      self.names = names
    }
  }

  /// All arrays; steps refer to them by their place here.
  public var values: [Value]
  /// The work, in the order it is done in.
  public var steps: [PlannedStep]
  /// The number of buffers that a run is given to read.
  public var inputCount: Int
  /// What a run writes its results to.
  public var outputs: [Output]
  /// Byte sizes of the scratch slabs; none is above the device's largest allocation.
  public var slabs: [Int]
  /// The lanes of the scalar bank.
  public var scalars: [Lane]

  /// A plan from its parts, which have to agree.
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
