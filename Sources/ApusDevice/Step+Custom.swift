import Synchronization

/// A user-defined operation on contiguous values. Its work is divided into items, which are computed independently, in
/// any order and concurrently.
public struct Custom: Hashable, Sendable {
  /// The kernel that computes an item.
  public var kernel: CustomKernel
  /// The number of items.
  public var count: Int
  /// Integers that the items read, parallel to `kernel.sizeNames`.
  public var sizes: [Int]
  /// The contiguous values of the plan that the items read, by index, parallel to `kernel.inputNames`.
  public var inputs: [Int]
  /// The contiguous values of the plan that the items write, by index, parallel to `kernel.resultNames`. No result
  /// shares memory with an input.
  public var results: [Int]

  /// Creates a step from its kernel and values.
  public init(kernel: CustomKernel, count: Int, sizes: [Int], inputs: [Int], results: [Int]) {
    self.kernel = kernel
    self.count = count
    self.sizes = sizes
    self.inputs = inputs
    self.results = results
  }
}

/// The computation of one item of a user-defined operation: as kernel source, as a host function, or both.
///
/// The source is the body of a loop over items, in OpenCL C 1.2. It is compiled after the prelude of `Kernels/`. It can
/// use the index `i` of the item, the inputs and results as pointers and the sizes as integers, with the names given
/// here, and `REAL`, the C type of the arithmetic type (lane) of the first floating-point value.
public final class CustomKernel: Sendable {
  /// The operation's name, for errors and profiles.
  public let name: String
  /// A number that no other kernel of the process has.
  public let number: UInt64
  /// The names of the inputs in the source.
  public let inputNames: [String]
  /// The names of the results in the source.
  public let resultNames: [String]
  /// The names of the sizes in the source.
  public let sizeNames: [String]
  /// The kernel source: the body of the loop over items; `nil` if the kernel has only a host function.
  public let text: String?
  /// The host function, which computes a range of items and is called on several threads concurrently; `nil` if the
  /// kernel has only source.
  public let host: (@Sendable (CustomItems) -> Void)?

  private static let count = Atomic<UInt64>(0)

  /// Creates a kernel from its fields.
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

/// A range of items of a user-defined operation, with the arrays that they use.
public struct CustomItems {
  /// An array in memory.
  public struct Array {
    /// The address of the first element.
    public var pointer: UnsafeMutableRawPointer
    /// The type of the elements.
    public var dtype: DType
    /// The number of elements.
    public var count: Int

    /// Creates an array from the address of its first element.
    public init(pointer: UnsafeMutableRawPointer, dtype: DType, count: Int) {
      self.pointer = pointer
      self.dtype = dtype
      self.count = count
    }
  }

  /// The operation's name.
  public let name: String
  /// The range of items to compute.
  public let range: Range<Int>
  /// The sizes, parallel to the kernel's names of sizes.
  public let sizes: [Int]
  /// The whole inputs, not only the elements that the range reads.
  public let inputs: [Array]
  /// The whole results.
  public let results: [Array]

  /// Creates a range of items of a step.
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
