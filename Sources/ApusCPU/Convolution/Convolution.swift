import ApusDevice

extension StepBuilder {
  /// The step of a convolution by the method that suits it: for channels last transformed tiles, or windows where they lie;
  /// else padded planes for stride 1 and images that fill vectors, windows of few channels, products with whole images,
  /// or else with the matrix of windows.
  func convolution(_ step: Convolution) throws(DeviceError) -> any CPUStep {
    if step.order != .channelsFirst {
      if step.order == .channelsLast, !multipliesOnTiles(step), let geometry = WinogradGeometry.paying(step.geometry, pass: step.pass) {
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
      return try BlockedMatmulStep(product, self)
    }
    return switch step.pass {
    case .output: try UnfoldedConvolutionStep(step, self)
    case .inputGradient: try UnfoldedInputGradientStep(step, self)
    case .weightGradient: try UnfoldedWeightGradientStep(step, self)
    }
  }

  /// Whether a matrix unit multiplies the windows of a pass: direct sums are then faster than transformed tiles.
  private func multipliesOnTiles(_ step: Convolution) -> Bool {
    guard let pairs = pairs(of: step.factorDtype), pairs.pointee.word_multiple > 1, step.pass != .weightGradient else {
      return false
    }
    let channels = step.pass == .output ? step.geometry.inputChannels : step.geometry.outputChannels
    return channels % (2 * pairs.pointee.word_multiple) == 0
  }

  /// Whether windows are read where they lie with channels first, for results that fill vectors.
  private func readsPlanes(_ step: Convolution) -> Bool {
    step.geometry.readsPlanes(step.pass, fewChannels: step.pass == .output ? 8 : 4)
      && step.geometry.outputChannels >= ConvolutionGeometry.leastVectorChannels
      && step.geometry.allowsMixedOrder(step.pass, step.dtype)
  }

  /// Pixels of an image from which on its product is worth tasks of its own.
  private static var leastPixels: Int { 128 }
}
