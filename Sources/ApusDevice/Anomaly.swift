/// The first operation of a graph that produced NaN or an infinity from finite inputs. Operations that may overflow
/// without harm, as with a loss scale, count only if a requested value is not finite. If there is no such operation,
/// but a requested value is not finite, the anomaly is an input of the graph that contains NaN, or else the first
/// operation that produced NaN from infinities.
public struct Anomaly: Hashable, Sendable {
  /// An input of the operation.
  public struct Input: Hashable, Sendable {
    public var dtype: DType
    /// The extents of the input.
    public var shape: [Int]
    /// The smallest and the largest element; `nil` for integers, `bool` and arrays without elements.
    public var range: ClosedRange<Double>?

    /// Describes an input.
    public init(dtype: DType, shape: [Int], range: ClosedRange<Double>?) {
      self.dtype = dtype
      self.shape = shape
      self.range = range
    }
  }

  /// The name of the device that found the anomaly.
  public var device: String
  /// The operation's name, for example `log`; `value` if an input of the graph contains NaN.
  public var operation: String
  /// The keys of the enclosing layers, joined by dots, with the type of the innermost layer: `0.2 (Linear)`; `nil`
  /// outside of layers.
  public var layer: String?
  /// Whether the operation belongs to the gradient of the layer.
  public var isGradient = false
  /// The element type of the result.
  public var dtype: DType
  /// The extents of the result.
  public var shape: [Int]
  /// The index of the first element, in row-major order, that is not finite; for `value`, of the first NaN.
  public var coordinates: [Int]
  /// The value of that element: NaN or an infinity.
  public var value: Double
  /// The number of elements of the result that are not finite.
  public var count: Int
  /// The inputs of the operation; empty for `value`.
  public var inputs: [Input]
  /// The iteration that computed the value; `nil` outside of loops.
  public var iteration: Iteration?

  /// An iteration of a loop, given by the index of the elements that it reads from the loop's sequences.
  public struct Iteration: Hashable, Sendable {
    /// The index, counted from 0.
    public var index: Int
    /// The number of elements of a sequence.
    public var count: Int

    /// Creates the iteration that reads element `index` of `count`.
    public init(index: Int, count: Int) {
      self.index = index
      self.count = count
    }
  }

  /// Creates an anomaly outside of layers and loops.
  public init(
    device: String, operation: String, dtype: DType, shape: [Int], coordinates: [Int], value: Double, count: Int,
    inputs: [Input]
  ) {
    self.device = device
    self.operation = operation
    self.dtype = dtype
    self.shape = shape
    self.coordinates = coordinates
    self.value = value
    self.count = count
    self.inputs = inputs
  }
}

extension Anomaly: CustomStringConvertible {
  /// For example `log gives -inf at [3, 7] of float32 [128, 10] (4 elements are not finite), in layer 2 (Linear);
  /// from float32 [128, 10] in 0.0…1.0; found on device cpu`.
  public var description: String {
    let verb = inputs.isEmpty ? "has" : "gives"
    var text = "\(operation) \(verb) \(value.isNaN ? "nan" : "\(value)") at \(coordinates) of \(dtype) \(shape)"
    if count > 1 { text += " (\(count) elements are not finite)" }
    switch (layer, isGradient) {
    case (let layer?, true): text += ", in the gradient of layer \(layer)"
    case (let layer?, false): text += ", in layer \(layer)"
    case (nil, true): text += ", in a gradient"
    case (nil, false): break
    }
    if let iteration {
      text += ", at index \(iteration.index) of the \(iteration.count) elements of a loop's sequences"
    }
    if !inputs.isEmpty { text += "; from " + inputs.map(\.description).joined(separator: ", ") }
    return text + "; found on device \(device)"
  }
}

extension Anomaly.Input: CustomStringConvertible {
  public var description: String {
    "\(dtype) \(shape)" + (range.map { " in \($0.lowerBound)…\($0.upperBound)" } ?? "")
  }
}
