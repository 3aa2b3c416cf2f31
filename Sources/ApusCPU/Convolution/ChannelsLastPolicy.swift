import ApusDevice

extension CPUDevice {
  public func channelsLast(
    _ geometry: ConvolutionGeometry, _ pass: Convolution.Pass, _ dtype: DType, _ inputPrecision: InputPrecision
  ) -> ChannelsLastPreference {
    let results = pass == .inputGradient ? geometry.inputChannels : geometry.outputChannels
    guard ConvolutionMethod(geometry, pass, .channelsLast, dtype) != nil,
      results >= ConvolutionGeometry.leastVectorChannels
    else { return .never }
    let readsChannelsFirst =
      ConvolutionMethod(geometry, pass, .mixed, dtype) != nil && geometry.readsPlanes(pass, fewChannels: 4)
    // With a 1 × 1 kernel, stride 1 and no padding, a convolution is a matrix product with whole images, in either
    // layout. So the images keep their layout.
    let condition: ChannelsLastPreference.Condition =
      geometry.isPointwise ? .ifConverted : geometry.isCopyBound(pass) ? .ifChained : .always
    return ChannelsLastPreference(condition, readsChannelsFirst: readsChannelsFirst)
  }
}

extension ConvolutionGeometry {
  /// Whether copies of images into channels-last order cost as much time as they save. This is so
  /// (a) for 1 × 1 kernels: a stride skips most of the copied pixels;
  /// (b) for stride 1 with input channels too few to fill a vector: the channels-first method for them
  /// (`ConvolutionMethod.planes`) fills its vectors with pixels. Case (b) applies to the output and, if the kernel has
  /// at most nine taps (positions), to the weight gradient.
  fileprivate func isCopyBound(_ pass: Convolution.Pass) -> Bool {
    if kernel.wrappedProduct == 1 { return true }
    guard inputChannels < Self.leastVectorChannels, stride == SIMD3(1, 1, 1) else { return false }
    return pass == .output || pass == .weightGradient && kernel.wrappedProduct <= 9
  }
}
