import ApusDevice

extension GPUDevice {
  /// Returns when a convolution prefers channels-last images: never if no method reads such images, or if the channels
  /// do not fill registers.
  func channelsLast(
    _ geometry: ConvolutionGeometry, _ pass: Convolution.Pass, _ dtype: DType
  ) -> ChannelsLastPreference {
    let width = driver.target.width
    // With a stride, most taps of the input gradient do not reach a given pixel. Kernels for channels-first images
    // would multiply zeros for these taps.
    let isSparse = pass == .inputGradient && geometry.stride.wrappedProduct > 1
    guard geometry.outputChannels >= width, geometry.inputChannels >= width || isSparse,
      ConvolutionMethod(geometry, pass, .channelsLast, dtype, driver.target) != nil
    else { return .never }
    guard geometry.kernel.wrappedProduct == 1 else { return ChannelsLastPreference(.always) }
    return ChannelsLastPreference(geometry.isPointwise ? .ifConverted : .ifChained)
  }
}
