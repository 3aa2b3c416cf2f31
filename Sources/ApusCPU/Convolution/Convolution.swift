import ApusDevice
import CSIMD

extension StepBuilder {
  /// Chooses the algorithm of a convolution. Channels last: Winograd, or windows read in place. Channels first: padded
  /// planes for stride 1 and images that fill vectors, windows read in place for few channels or strides, products with
  /// whole images, and im2col for the rest.
  func convolution(_ step: Convolution) throws(DeviceError) -> any CPUStep {
    if step.order != .channelsFirst {
      if step.order == .channelsLast, !usesMatrixUnit(step),
        let geometry = WinogradGeometry.paying(step.geometry, pass: step.pass)
      {
        return step.pass == .weightGradient
          ? try WinogradWeightGradientStep(step, geometry, self) : try WinogradConvolutionStep(step, geometry, self)
      }
      return step.pass == .weightGradient
        ? try WindowWeightGradientStep(step, self) : try WindowConvolutionStep(step, self)
    }
    let readsPlanes = readsPlanes(step)
    if let geometry = PlaneGeometry(step.geometry, pass: step.pass, dtype: step.dtype),
      !readsPlanes || !geometry.hasGaps
    {
      return step.pass == .weightGradient
        ? try PlaneWeightGradientStep(step, geometry, self)
        : try PlaneConvolutionStep(step, geometry, self)
    }
    if readsPlanes {
      return step.pass == .weightGradient
        ? try WindowWeightGradientStep(step, self) : try WindowConvolutionStep(step, self)
    }
    if step.geometry.output.wrappedProduct >= Self.leastPixels, let product = step.pointwiseProduct {
      return try FloatMatmulStep(product, self)
    }
    return switch step.pass {
    case .output: try UnfoldedConvolutionStep(step, self)
    case .inputGradient: try UnfoldedInputGradientStep(step, self)
    case .weightGradient: try UnfoldedWeightGradientStep(step, self)
    }
  }

  /// Whether a matrix unit multiplies the windows of a pass: direct sums are then faster than Winograd tiles.
  private func usesMatrixUnit(_ step: Convolution) -> Bool {
    step.pass != .weightGradient && pairsOfWindows(step).map { $0.pointee.word_multiple > 1 } ?? false
  }

  /// The pairwise products for the windows of a pass with channels last; `nil` if the source channels of a tap do not fill
  /// the words that an instruction takes.
  func pairsOfWindows(_ step: Convolution) -> UnsafePointer<csimd_pairs>? {
    guard step.order == .channelsLast, let pairs = pairs(of: step.factorDtype) else { return nil }
    let channels = step.pass == .output ? step.geometry.inputChannels : step.geometry.outputChannels
    return channels % (2 * pairs.pointee.word_multiple) == 0 ? pairs : nil
  }

  /// Whether windows are read in place with channels first; result channels must fill vectors.
  private func readsPlanes(_ step: Convolution) -> Bool {
    step.geometry.readsPlanes(step.pass, fewChannels: step.pass == .output ? 8 : 4)
      && step.geometry.outputChannels >= ConvolutionGeometry.leastVectorChannels
      && step.geometry.allowsMixedOrder(step.pass, step.dtype)
  }

  /// The fewest pixels at which an image's product is worth its own tasks.
  private static var leastPixels: Int { 128 }
}
