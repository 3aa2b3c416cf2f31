import ApusDevice
import ApusCSIMD

extension StepBuilder {
  /// Builds the step of a convolution with the algorithm that `ConvolutionMethod` chooses.
  func convolution(_ step: Convolution) throws(DeviceError) -> any CPUStep {
    let method = ConvolutionMethod(
      step.geometry, step.pass, step.order, step.dtype, product: step.pointwiseProduct,
      hasMatrixUnit: usesMatrixUnit(step))
    switch method {
    case .winograd(let geometry):
      return step.pass == .weightGradient
        ? try WinogradWeightGradientStep(step, geometry, self) : try WinogradConvolutionStep(step, geometry, self)
    case .windows:
      return step.pass == .weightGradient
        ? try WindowWeightGradientStep(step, self) : try WindowConvolutionStep(step, self)
    case .planes(let geometry):
      return step.pass == .weightGradient
        ? try PlaneWeightGradientStep(step, geometry, self) : try PlaneConvolutionStep(step, geometry, self)
    case .product(let product): return try FloatMatmulStep(product, self)
    case .unfolded:
      return switch step.pass {
      case .output: try UnfoldedConvolutionStep(step, self)
      case .inputGradient: try UnfoldedInputGradientStep(step, self)
      case .weightGradient: try UnfoldedWeightGradientStep(step, self)
      }
    case nil: throw .unsupported(device: "cpu", feature: "channels-last images in this convolution")
    }
  }

  /// Whether the windows of a pass are multiplied on a matrix unit.
  private func usesMatrixUnit(_ step: Convolution) -> Bool {
    step.pass != .weightGradient && pairsOfWindows(step).map { $0.pointee.word_multiple > 1 } ?? false
  }

  /// The functions that multiply pairs of bfloat16 values (`csimd_pairs`), for a channels-last pass. `nil` if the
  /// images are not channels-last, if the factors are not bfloat16, if the device does not multiply in pairs, or if the
  /// number of source channels is not a multiple of `2 · word_multiple`.
  func pairsOfWindows(_ step: Convolution) -> UnsafePointer<csimd_pairs>? {
    guard step.order == .channelsLast, let pairs = pairs(of: step.factorDtype) else { return nil }
    let channels = step.pass == .output ? step.geometry.inputChannels : step.geometry.outputChannels
    return channels % (2 * pairs.pointee.word_multiple) == 0 ? pairs : nil
  }
}
