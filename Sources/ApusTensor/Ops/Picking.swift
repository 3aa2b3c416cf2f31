import ApusDevice

extension Tensor {
  /// The element at an index along `axis` for every place of the other axes: `y[i, j] = x[i, indices[i, j], j]` for
  /// axis 1. Unlike in `takingAlong`, a negative index is an error.
  ///
  /// - Parameter indices: integers, of the shape without `axis`.
  /// - Throws (when the value is read): `DeviceError.indexOutOfRange`.
  package func picking(_ indices: Tensor, alongAxis axis: Int) -> Tensor {
    let wide = indices.dtype == .int64 ? indices : indices.cast(to: .int32)
    return Tensor(.gather, OpInputs(node, wide.expandingAxis(at: axis).node), .integers([axis, 1]))
      .reshaped(to: indices.shape)
  }
}
