import ApusDevice

extension StepBuilder {
  /// Builds the step of a matrix product: for floating-point numbers, tiles over packed factors (`TiledProduct`); for
  /// integers, which wrap around, `IntegerMatmulStep`.
  func matmul(_ step: Matmul) throws(DeviceError) -> any CPUStep {
    switch step.dtype.lane {
    case .float32, .float64: try FloatMatmulStep(step, self)
    case .int32, .int64: try IntegerMatmulStep(step, self)
    }
  }
}
