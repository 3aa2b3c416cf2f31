import ApusDevice

extension GPUDevice {
  /// Returns where a convolution prefers channels-last images. CPU kernels multiply matrices of pixels if the channels
  /// fill registers. GPU kernels read images in the given layout.
  func channelsLast(
    _ geometry: ConvolutionGeometry, _ pass: Convolution.Pass, _ dtype: DType
  ) -> ChannelsLastPreference {
    let isFlat =
      geometry.kernel.x == 1 && geometry.stride.x == 1 && geometry.padding.x == 0
      && geometry.input.x == geometry.output.x && geometry.input.x == 1
    let width = driver.target.width
    // With a stride, most taps of the input gradient do not reach a given pixel: other kernels would multiply zeros.
    let isSparse = pass == .inputGradient && geometry.stride.wrappedProduct > 1
    guard driver.target.kernelClass == .cpu, isFlat, geometry.groups == 1, dtype.isFloatingPoint,
      geometry.outputChannels >= width, geometry.inputChannels >= width || isSparse
    else { return .never }
    guard geometry.kernel.wrappedProduct == 1 else { return ChannelsLastPreference(.everywhere) }
    return ChannelsLastPreference(geometry.isPointwise ? .givenImages : .sequences)
  }
}
