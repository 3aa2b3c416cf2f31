import ApusDevice

extension GPUDevice {
  var fastInputPrecisions: [InputPrecision] { driver.target.hasMatrixUnits ? [.tf32, .tf32x3] : [] }
  var fastAttentionTypes: [DType] { driver.target.hasMatrixUnits ? [.float16, .bfloat16] : [] }

  /// Returns when a pass of a convolution prefers channels-last images. It never does in two cases: no convolution
  /// method reads such images, or there are fewer output or input channels than a vector register has elements. For an
  /// input gradient with a stride, only the number of output channels matters. With a 1 × 1 kernel and without matrix
  /// units, the preference depends on the steps before and after.
  func channelsLast(
    _ geometry: ConvolutionGeometry, _ pass: Convolution.Pass, _ dtype: DType, _ inputPrecision: InputPrecision
  ) -> ChannelsLastPreference {
    let width = driver.target.width
    // With a stride, most taps of the input gradient do not reach a given pixel. Kernels for channels-first images
    // would multiply zeros for these taps, so this pass prefers channels-last images even with few input channels.
    let isSparse = pass == .inputGradient && geometry.stride.wrappedProduct > 1
    guard geometry.outputChannels >= width, geometry.inputChannels >= width || isSparse,
      ConvolutionMethod(geometry, pass, .channelsLast, dtype, inputPrecision, driver.target) != nil
    else { return .never }
    // Only kernels for channels-last images use matrix units and asynchronous copies. It is assumed, but not measured,
    // that these save more time than the conversion of images takes.
    guard geometry.kernel.wrappedProduct == 1, !driver.target.hasMatrixUnits else {
      return ChannelsLastPreference(.always)
    }
    return ChannelsLastPreference(geometry.isPointwise ? .ifConverted : .ifChained)
  }
}
