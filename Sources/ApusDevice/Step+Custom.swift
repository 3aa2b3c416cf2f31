import Synchronization

/// A user's operation: items that read contiguous values and write contiguous values, in any order and at the same time.
public struct Custom: Hashable, Sendable {
  /// What is done for an item.
  public var kernel: CustomKernel
  /// The number of items.
  public var count: Int
  /// Numbers that the items read, parallel to the kernel's names of them.
  public var sizes: [Int]
  /// Contiguous values, parallel to the kernel's names of inputs.
  public var inputs: [Int]
  /// Contiguous values, parallel to the kernel's names of results; none is the memory of an input.
  public var results: [Int]

  /// A step from its kernel and values.
  public init(kernel: CustomKernel, count: Int, sizes: [Int], inputs: [Int], results: [Int]) {
    self.kernel = kernel
    self.count = count
    self.sizes = sizes
    self.inputs = inputs
    self.results = results
  }
}

/// What a user's operation does for one item: as the text of a kernel, as a function of the host, or both.
///
/// The text is that of a loop's body in OpenCL C 1.2 behind the prelude of `Kernels/`. It knows the item `i`, pointers
/// and numbers under the names given here, and `REAL`, the type of arithmetic of the first floating-point value.
public final class CustomKernel: Sendable {
  /// The operation's name, for errors and profiles.
  public let name: String
  /// Tells kernels apart.
  public let number: UInt64
  /// What the text calls the inputs, results and sizes.
  public let inputNames: [String]
  /// What the text calls the results.
  public let resultNames: [String]
  /// What the text calls the sizes.
  public let sizeNames: [String]
  /// The body of the loop over items.
  public let text: String?
  /// Does some of the items; called on several threads at once.
  public let host: (@Sendable (CustomItems) -> Void)?

  private static let count = Atomic<UInt64>(0)

  /// A kernel from its parts.
  public init(
    name: String, inputNames: [String], resultNames: [String], sizeNames: [String], text: String?,
    host: (@Sendable (CustomItems) -> Void)?
  ) {
    self.name = name
    self.inputNames = inputNames
    self.resultNames = resultNames
    self.sizeNames = sizeNames
    self.text = text
    self.host = host
    number = CustomKernel.count.add(1, ordering: .relaxed).newValue
  }
}

extension CustomKernel: Hashable {
  public static func == (left: CustomKernel, right: CustomKernel) -> Bool { left === right }
  public func hash(into hasher: inout Hasher) { hasher.combine(number) }
}

/// Some items of a user's operation, with the memory that they work on.
public struct CustomItems {
  /// An array in memory.
  public struct Array {
    /// The address of the first element.
    public var pointer: UnsafeMutableRawPointer
    /// The type of the elements.
    public var dtype: DType
    /// The number of elements.
    public var count: Int

    /// Elements from an address on.
    public init(pointer: UnsafeMutableRawPointer, dtype: DType, count: Int) {
      self.pointer = pointer
      self.dtype = dtype
      self.count = count
    }
  }

  /// The operation's name.
  public let name: String
  /// The items to do.
  public let range: Range<Int>
  /// The numbers that belong to the operation's names of sizes.
  public let sizes: [Int]
  /// The whole inputs, whatever the items.
  public let inputs: [Array]
  /// The whole results.
  public let results: [Array]

  /// Some items of a step.
  public init(name: String, range: Range<Int>, sizes: [Int], inputs: [Array], results: [Array]) {
    self.name = name
    self.range = range
    self.sizes = sizes
    self.inputs = inputs
    self.results = results
  }
}

extension Custom: StepFamily {
  func mapped(read: (Int) -> Int, write: (Int) -> Int) -> Custom {
    var step = self
    step.inputs = step.inputs.map(read)
    step.results = step.results.map(write)
    return step
  }
}
