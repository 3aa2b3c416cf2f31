import ApusDevice

extension GPUDevice {
  /// Returns when a convolution prefers channels-last images: never if no method reads such images, or if the output
  /// channels or the input channels do not fill a register. An input gradient with a stride prefers such images even if
  /// there are few input channels.
  func channelsLast(
    _ geometry: ConvolutionGeometry, _ pass: Convolution.Pass, _ dtype: DType
  ) -> ChannelsLastPreference {
    let width = driver.target.width
    // With a stride, most taps of the input gradient do not reach a given pixel. Kernels for channels-first images
    // would multiply zeros for these taps, so this pass prefers channels-last images even with few input channels.
    let isSparse = pass == .inputGradient && geometry.stride.wrappedProduct > 1
    guard geometry.outputChannels >= width, geometry.inputChannels >= width || isSparse,
      ConvolutionMethod(geometry, pass, .channelsLast, dtype, driver.target) != nil
    else { return .never }
    guard geometry.kernel.wrappedProduct == 1 else { return ChannelsLastPreference(.always) }
    return ChannelsLastPreference(geometry.isPointwise ? .ifConverted : .ifChained)
  }
}
