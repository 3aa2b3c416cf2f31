import ApusTensor

/// The keys and values of a growing sequence. Attention reads all of them again for every new element, such as a token.
///
/// The capacity is fixed. The end of the sequence is a scalar argument of the prepared computation (the plan), not a
/// constant in it. So the plan that was prepared for one element is reused for the next element.
///
/// ```swift
/// var cache = attention.makeCache(batch: 1, capacity: 256)
/// for element in elements {  // [1, batch, size]
///   outputs.append(attention(element, cache: &cache))
/// }
/// ```
public struct KeyValueCache: Sendable {
  /// The maximum number of elements.
  public let capacity: Int
  /// The current number of elements.
  public private(set) var length = 0
  /// `[batch, heads, capacity, size]`, zeros after the end.
  public private(set) var keys: Tensor
  /// `[batch, heads, capacity, width]`, zeros after the end.
  public private(set) var values: Tensor

  /// Creates an empty cache.
  /// - Parameters:
  ///   - width: the size of values; by default `size`, the size of keys.
  ///   - dtype: `float32` by default.
  public init(
    batch: Int, heads: Int, capacity: Int, size: Int, width: Int? = nil, dtype: DType? = nil,
    device: ComputeDevice = .current
  ) {
    let dtype = dtype ?? .float32
    self.capacity = capacity
    keys = .zeros([batch, heads, capacity, size], dtype: dtype, device: device)
    values = .zeros([batch, heads, capacity, width ?? size], dtype: dtype, device: device)
  }

  /// The position of the next element, for causal masks and position encodings: an `int32` of shape `[]` that is passed
  /// to plans as a scalar.
  public var end: Tensor { .number(Double(length), dtype: .int32, device: keys.device) }

  /// Appends `count` elements: their keys, `[batch, heads, count, size]`, and values, `[batch, heads, count, width]`.
  /// - Precondition: the capacity suffices, and the elements have the type of the cache.
  public mutating func append(_ newKeys: Tensor, _ newValues: Tensor) {
    for (new, old) in [(newKeys, keys), (newValues, values)] {
      var expected = old.shape
      if new.rank == 4 { expected[2] = new.shape[2] }
      guard new.shape == expected, new.dtype == old.dtype else {
        ShapeError("KeyValueCache", "\(new.dtype) \(new.shape) cannot be appended to \(old.dtype) \(old.shape)")
          .report()
        return
      }
    }
    let count = newKeys.shape[2]
    guard count == newValues.shape[2], length + count <= capacity else {
      let added = "\(newKeys.shape) and \(newValues.shape)"
      ShapeError("KeyValueCache", "\(added) do not fit: \(length) of \(capacity) elements are used").report()
      return
    }
    keys = appended(newKeys, to: keys)
    values = appended(newValues, to: values)
    length += count
  }

  private func appended(_ new: Tensor, to old: Tensor) -> Tensor {
    let count = new.shape[2]
    guard count > 0 else { return old }
    let index = Tensor.indices([capacity, 1], axis: 0, dtype: .int32, device: old.device) - end
    if count == 1 { return (index .== 0).select(new, old) }
    let isNew = (index .>= 0).logicalAnd(index .< count)
    let source = isNew.select(index, .number(0, dtype: .int32, device: old.device)).reshaped(to: [capacity])
    return isNew.select(new.gathering(source, axis: 2), old)
  }
}
