/// A memory-planned list of steps: prepared once by a device, run many times.
public struct Plan: Hashable, Sendable {
  /// One array of a plan.
  public struct Value: Hashable, Sendable {
    /// The memory of a value.
    public enum Storage: Hashable, Sendable {
      /// The plan's input buffer with this index.
      case input(Int)
      /// The plan's output buffer with this index.
      case output(Int)
      /// An offset in one of the plan's slabs, whose contents are valid during one run.
      case scratch(slab: Int, byteOffset: Int)
    }

    /// The type of the stored elements.
    public var dtype: DType
    /// The number of elements, which are stored contiguously.
    public var elementCount: Int
    /// The memory of the value.
    public var storage: Storage

    /// Creates a value from its fields.
    public init(dtype: DType, elementCount: Int, storage: Storage) {
      self.dtype = dtype
      self.elementCount = elementCount
      self.storage = storage
    }

    /// The size of all elements in bytes.
    public var byteCount: Int { elementCount * dtype.byteCount }
  }

  /// An output buffer. If the output has a donated input, the caller passes one buffer both as that input and as this
  /// output, and the plan overwrites the input in place. All steps that check indices run before the first step that
  /// writes to the buffer, so that an index out of range leaves the buffer unchanged.
  public struct Output: Hashable, Sendable {
    /// The size in bytes of the buffer that the caller provides.
    public var byteCount: Int
    /// The index of the donated input whose buffer the output reuses; `nil` for none.
    public var donatedInput: Int?

    /// Creates an output with its own memory, or with the memory of a donated input.
    public init(byteCount: Int, donatedInput: Int? = nil) {
      self.byteCount = byteCount
      self.donatedInput = donatedInput
    }
  }

  /// A step with the names of the operations that it computes, for errors, logs, profiles and anomalies.
  public struct PlannedStep: Hashable, Sendable {
    /// The work of the step.
    public var step: Step
    /// The names of the operations.
    public var names: [String]

    /// Creates a planned step from a step and the names of its operations.
    public init(step: Step, names: [String]) {
      self.step = step
      self.names = names
    }
  }

  /// All arrays; steps refer to them by index.
  public var values: [Value]
  /// The steps, in execution order.
  public var steps: [PlannedStep]
  /// The number of input buffers of a run.
  public var inputCount: Int
  /// The output buffers of a run.
  public var outputs: [Output]
  /// The sizes in bytes of the slabs, the scratch memory of a run; each is at most the device's largest allocation.
  public var slabs: [Int]
  /// The arithmetic types of the entries of the scalar bank, which are the numbers that the caller passes to each run.
  public var scalars: [Lane]

  /// Creates a plan from its fields, which must be consistent.
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
