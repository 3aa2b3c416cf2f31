import ApusDevice

extension CPUDevice {
  public func channelsLast(
    _ geometry: ConvolutionGeometry, _ pass: Convolution.Pass, _ dtype: DType
  ) -> ChannelsLastPreference {
    let results = pass == .inputGradient ? geometry.inputChannels : geometry.outputChannels
    guard ConvolutionMethod(geometry, pass, .channelsLast, dtype) != nil,
      results >= ConvolutionGeometry.leastVectorChannels
    else { return .never }
    let readsChannelsFirst =
      ConvolutionMethod(geometry, pass, .mixed, dtype) != nil && geometry.readsPlanes(pass, fewChannels: 4)
    // A 1 × 1 kernel is a product with whole images, which works in either layout, so the images keep their layout.
    let condition: ChannelsLastPreference.Condition =
      geometry.isPointwise ? .ifConverted : geometry.isCopyBound(pass) ? .ifChained : .always
    return ChannelsLastPreference(condition, readsChannelsFirst: readsChannelsFirst)
  }
}

extension ConvolutionGeometry {
  /// Whether copies of images into channels-last order cost as much time as they save. This is so for strided 1 × 1
  /// kernels, because the stride skips most pixels, and for stride 1 and few input channels, which do not fill vectors,
  /// because padded planes are fast. For the weight gradient of a kernel with many taps, copies always pay off.
  fileprivate func isCopyBound(_ pass: Convolution.Pass) -> Bool {
    if kernel.wrappedProduct == 1 { return true }
    guard inputChannels < Self.leastVectorChannels, stride == SIMD3(1, 1, 1) else { return false }
    return pass == .output || pass == .weightGradient && kernel.wrappedProduct <= 9
  }
}
