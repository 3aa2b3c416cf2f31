import ApusDevice

/// A number, or nested arrays of numbers of any depth, from which a tensor can be created: `[[Float]]`, `[[[Int]]]`.
public protocol NestedValues {
  /// The type of the numbers.
  associatedtype Leaf: TensorElement
  /// The extents of this level and of all inner levels, taken from the first element of each level.
  var nestedShape: [Int] { get }
  /// Appends the numbers in row-major order; throws if the length of an array differs from its extent in `shape`.
  func append(to values: inout [Leaf], shape: ArraySlice<Int>) throws(ShapeError)
}

extension NestedValues where Self: TensorElement {
  public var nestedShape: [Int] { [] }
  public func append(to values: inout [Self], shape: ArraySlice<Int>) throws(ShapeError) { values.append(self) }
}

extension Float: NestedValues {}
extension Double: NestedValues {}
extension Float16: NestedValues {}
extension Int64: NestedValues {}
extension Int: NestedValues {}
extension Int32: NestedValues {}
extension Int8: NestedValues {}
extension UInt8: NestedValues {}
extension Bool: NestedValues {}
extension BFloat16: NestedValues {}

extension Array: NestedValues where Element: NestedValues {
  public var nestedShape: [Int] { [count] + (first?.nestedShape ?? []) }

  public func append(to values: inout [Element.Leaf], shape: ArraySlice<Int>) throws(ShapeError) {
    guard count == shape.first else {
      throw ShapeError("Tensor", "nested arrays differ in length: \(shape.first ?? 0) and \(count)")
    }
    for element in self { try element.append(to: &values, shape: shape.dropFirst()) }
  }
}

extension Tensor {
  /// A tensor from nested arrays, outermost first: two arrays of three numbers have the shape `[2, 3]`. Its element
  /// type is the type of the numbers.
  /// - Precondition: arrays of the same depth have the same length.
  @_disfavoredOverload
  public init<Values: NestedValues>(_ values: [[Values]], device: ComputeDevice = .current) {
    var leaves: [Values.Leaf] = []
    let shape = values.nestedShape
    do throws(ShapeError) {
      try values.append(to: &leaves, shape: shape[...])
      self.init(leaves, shape: Shape(shape), device: device)
    } catch {
      error.report()
      self.init(repeating: 0, shape: [], dtype: Values.Leaf.dtype, device: device)
    }
  }

  /// A tensor without axes, of shape `[]`; its element type is the type of the number.
  @_disfavoredOverload
  public init<Element: TensorElement>(_ value: Element, device: ComputeDevice = .current) {
    self.init([value], shape: [], device: device)
  }
}
