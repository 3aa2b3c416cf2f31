import ApusDevice

extension StepBuilder {
  /// The step of a convolution by the method that suits it: for channels last transformed tiles, or windows where they lie;
  /// else padded planes for stride 1 and images that fill vectors, else products with the matrix of windows.
  func convolution(_ step: Convolution) throws(DeviceError) -> any CPUStep {
    if step.isChannelsLast {
      if let geometry = WinogradGeometry(step.geometry, pass: step.pass) {
        return step.pass == .weightGradient
          ? try WinogradWeightGradientStep(step, geometry, self) : try WinogradConvolutionStep(step, geometry, self)
      }
      return step.pass == .weightGradient
        ? try WindowWeightGradientStep(step, self) : try WindowConvolutionStep(step, self)
    }
    if let geometry = PlaneGeometry(step.geometry, pass: step.pass, dtype: step.dtype) {
      return step.pass == .weightGradient
        ? try PlaneWeightGradientStep(step, geometry, self)
        : try PlaneConvolutionStep(step, geometry, self)
    }
    return switch step.pass {
    case .output: try UnfoldedConvolutionStep(step, self)
    case .inputGradient: try UnfoldedInputGradientStep(step, self)
    case .weightGradient: try UnfoldedWeightGradientStep(step, self)
    }
  }
}
