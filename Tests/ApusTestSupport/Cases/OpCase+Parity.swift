import Apus
import ApusDevice

extension OpCase {
  /// Compares results with the scalar reference, for the element types and shapes that the device runs. A device
  /// without `float64` leaves that type out, which `CoverageTests.everyDeviceComputesInFloat64` reports.
  /// - Returns: one line for each result that is wrong.
  public func parityProblems(on device: TestDevice) throws -> [String] {
    let types = dtypes.filter { $0 != .float64 || device.device.info.supportsFloat64 }
    let isComposed = try self.isComposed(on: device)
    let runs = types.flatMap { dtype in
      shapes.indices.filter { isRun(dtype, $0, isComposed: isComposed, device.extent) }
        .map { (dtype, $0, grids($0, dtype: dtype)) }
    }
    if runs.isEmpty { return ["\(name): \(device.name) runs no type of the case"] }
    // All runs are in one plan, so that an OpenCL device builds their kernels together.
    let results = try withDevice(device.device) {
      try checkingShapes { runs.map { apply(tensors($0.2, dtype: $0.0)) } }
    }
    try eval(results)
    return try zip(runs, results).compactMap { run, result in
      let (dtype, index, grids) = run
      let place = "\(name) of \(dtype)\(shapes[index])"
      let expected = reference(grids)
      guard result.shape == expected.shape else {
        return "\(place): shape \(result.shape), expected \(expected.shape)"
      }
      let magnitudes = try magnitudes(grids, expected)
      return difference(try result.values(), expected.values, magnitudes, dtype, result.dtype).map { "\(place): \($0)" }
    }
  }

  /// Whether the case builds more than one operation, not counting operations that only move, compare or select values.
  func isComposed(on device: TestDevice) throws -> Bool {
    try withDevice(device.device) { () throws in
      let result = try checkingShapes { apply(tensors(grids(0, dtype: dtypes[0]), dtype: dtypes[0])) }
      return pendingOperations(of: [result]).filter { $0.accuracy != .exact }.count > 1
    }
  }

  /// Whether a device with this extent runs the case with this type and shape. With the extent `everyType`, a device
  /// runs composed operations only with the first type and with `float16`, because other cases run the components with
  /// every type.
  private func isRun(_ dtype: DType, _ shape: Int, isComposed: Bool, _ extent: TestDevice.Extent) -> Bool {
    switch extent {
    case .everything: true
    case .everyType: dtype == dtypes[0] || shape == 0 && (!isComposed || dtype == .float16)
    case .everyShape: dtype == dtypes[0]
    }
  }

  private func magnitudes(_ grids: [Grid], _ expected: Grid) throws -> [Double] {
    guard case .sum = tolerance else { return expected.values }
    return reference(zip(inputs.indices, grids).map { isDifferentiable($0) ? $1.map(abs) : $1 }).values
  }

  private func difference(
    _ values: [Double], _ expected: [Double], _ magnitudes: [Double], _ dtype: DType, _ type: DType
  ) -> String? {
    for (place, value) in values.enumerated() {
      // The type of the result sets the tolerance, so the `bool` results of comparisons must be exact. A floating-point
      // result that is wider than the inputs gets the tolerance of the inputs' type.
      let unit = type.isFloatingPoint && dtype.isFloatingPoint && dtype.byteCount < type.byteCount ? dtype : type
      let bound = tolerance.bound(expected[place], magnitude: magnitudes[place], dtype: unit)
      let isRight =
        value == expected[place] || value.isNaN && expected[place].isNaN
        || (value - expected[place]).magnitude <= bound
        || overflows(value, expected[place], type)
      if !isRight {
        return "element \(place) is \(value), expected \(expected[place]) ± \(bound)"
      }
    }
    return nil
  }

  /// Whether an infinity is the correct rounding of a number beyond the range of the type.
  private func overflows(_ value: Double, _ expected: Double, _ type: DType) -> Bool {
    guard type.isFloatingPoint else { return false }
    let rounded = Tolerance.format(type).rounded(type == .float32 ? Double(Float(expected)) : expected)
    return value.isInfinite && value == rounded
  }
}
