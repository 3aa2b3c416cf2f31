import ApusTensor

/// The keys and values of a sequence that grows, as attention meets them again with every new element.
///
/// It has room for a fixed number of elements, and where the sequence ends is a number that plans take in: however
/// far it has grown, the next element runs in the plan of the one before.
///
/// ```
/// var cache = attention.makeCache(batch: 1, capacity: 256)
/// for element in elements {  // [1, batch, size]
///   let y = attention(element, cache: &cache)
/// }
/// ```
public struct KeyValueCache: Sendable {
  /// How many elements there is room for.
  public let capacity: Int
  /// How many elements there are.
  public private(set) var length = 0
  /// `[batch, heads, capacity, size]`, zeros behind the end.
  public private(set) var keys: Tensor
  /// `[batch, heads, capacity, width]`, zeros behind the end.
  public private(set) var values: Tensor

  /// An empty cache.
  /// - Parameters:
  ///   - width: the extent of values; `size`, that of keys, when left out.
  ///   - dtype: `float32` when left out.
  public init(
    batch: Int, heads: Int, capacity: Int, size: Int, width: Int? = nil, dtype: DType? = nil,
    device: ComputeDevice = .current
  ) {
    let dtype = dtype ?? .float32
    self.capacity = capacity
    keys = .zeros([batch, heads, capacity, size], dtype: dtype, device: device)
    values = .zeros([batch, heads, capacity, width ?? size], dtype: dtype, device: device)
  }

  /// The place of the next element, for causal masks and positions: an integer that is no part of plans.
  public var end: Tensor { .number(Double(length), dtype: .int32, device: keys.device) }

  /// Adds elements, `[batch, heads, count, size]` and `[batch, heads, count, width]`.
  /// - Precondition: there is room for them.
  public mutating func append(_ newKeys: Tensor, _ newValues: Tensor) {
    for (new, old) in [(newKeys, keys), (newValues, values)] {
      var expected = old.shape
      if new.rank == 4 { expected[2] = new.shape[2] }
      guard new.shape == expected, new.dtype == old.dtype else {
        ShapeError("KeyValueCache", "\(new.dtype) \(new.shape) does not go to the end of \(old.dtype) \(old.shape)")
          .report()
        return
      }
    }
    let count = newKeys.shape[2]
    guard count == newValues.shape[2], length + count <= capacity else {
      let added = "\(newKeys.shape) and \(newValues.shape)"
      ShapeError("KeyValueCache", "\(added) do not fit behind \(length) of \(capacity) elements").report()
      return
    }
    keys = appended(newKeys, to: keys)
    values = appended(newValues, to: values)
    length += count
  }

  private func appended(_ new: Tensor, to old: Tensor) -> Tensor {
    let count = new.shape[2]
    guard count > 0 else { return old }
    let place = Tensor.indices([capacity, 1], axis: 0, dtype: .int32, device: old.device) - end
    if count == 1 { return (place .== 0).select(new, old) }
    let isNew = (place .>= 0).logicalAnd(place .< count)
    let source = isNew.select(place, .number(0, dtype: .int32, device: old.device)).reshaped(to: [capacity])
    return isNew.select(new.gathering(source, axis: 2), old)
  }
}
