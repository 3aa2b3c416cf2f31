import ApusTensor

extension Module {
  /// Gives all parameters, and all statistics that are floating-point, another type: PyTorch's `model.double()`.
  ///
  /// ```
  /// model.convert(to: .float64)
  /// let y = model(x.cast(to: .float64))
  /// ```
  /// Layers compute in the type of their parameters and want inputs of the same one. A narrower type rounds the values;
  /// what was rounded away does not come back with a wider one. Counts, such as a batch norm's of batches, stay integers.
  /// Parameters stay shared and frozen as they are.
  ///
  /// `float64` is for comparisons that rounding must not disturb, and slower by far on most GPUs; a device without it
  /// says so when values are computed. `float16` and `bfloat16` are for inference: they take half the memory, but small
  /// updates would be lost in them. Mixed precision trains with them and keeps parameters `float32`, see `Optimizer`.
  ///
  /// An optimizer, an average or values that were taken before keep the type that they found: make them anew.
  /// - Precondition: `dtype` is floating-point.
  public func convert(to dtype: DType) {
    guard dtype.isFloatingPoint else { fatalError("convert: \(dtype) is not floating-point") }
    for entry in state.entries where entry.dtype.isFloatingPoint { entry.cell.convert(to: dtype) }
  }
}
