import ApusDevice

extension CPUDevice {
  public func channelsLast(
    _ geometry: ConvolutionGeometry, _ pass: Convolution.Pass, _ dtype: DType
  ) -> ChannelsLastPreference {
    let results = pass == .inputGradient ? geometry.inputChannels : geometry.outputChannels
    guard geometry.allowsChannelsLast(pass, dtype), results >= ConvolutionGeometry.leastVectorChannels else {
      return .never
    }
    let readsChannelsFirst = geometry.allowsMixedOrder(pass, dtype) && geometry.readsPlanes(pass, fewChannels: 4)
    // Products with whole images work in either layout, so the images keep theirs.
    let place: ChannelsLastPreference.Place =
      geometry.isPointwise ? .givenImages : geometry.isCopyBound(pass) ? .sequences : .everywhere
    return ChannelsLastPreference(place, readsChannelsFirst: readsChannelsFirst)
  }
}

extension ConvolutionGeometry {
  /// The number of channels that fills a vector.
  static let leastVectorChannels = 16

  /// Whether a channels-last step exists: for two spatial axes, one group, and `float32`.
  func allowsChannelsLast(_ pass: Convolution.Pass, _ dtype: DType) -> Bool {
    let isFlat = kernel.x == 1 && stride.x == 1 && padding.x == 0 && input.x == output.x
    guard isFlat, groups == 1, dtype == .float32 else { return false }
    switch pass {
    case .output: return true
    case .inputGradient: return (1...2).allSatisfy { stride[$0] == 1 || dilation[$0] == 1 }
    case .weightGradient: return outputChannels % Self.leastVectorChannels == 0
    }
  }

  /// Whether a channels-last step can read `x` with channels first: the taps of a row must be contiguous.
  func allowsMixedOrder(_ pass: Convolution.Pass, _ dtype: DType) -> Bool {
    pass != .inputGradient && dilation.z == 1 && input.x == 1 && allowsChannelsLast(pass, dtype)
  }

  /// Whether windows are best read in place with channels first: long rows of taps of at most `fewChannels` channels
  /// or, for the output, strided windows. Neighbouring strided windows of a row read the same cache lines, and a
  /// channels-last copy of the image would cost more than it saves.
  func readsPlanes(_ pass: Convolution.Pass, fewChannels: Int) -> Bool {
    if inputChannels <= fewChannels && kernel.z >= 5 { return true }
    return pass == .output && stride.z > 1 && kernel.z > 1 && output.z >= Self.leastWindowsOfRow
      && inputChannels * kernel.y <= Self.mostRowsOfWindow
  }

  /// The number of windows of a row that fills a tile.
  private static let leastWindowsOfRow = 8
  /// The most rows of taps per window at which a tile of windows fits into an L1 cache (measured with 48 KiB: 1.14 to
  /// 1.5 times the speed of channels last for up to 384 rows, 0.90 times for 768).
  private static let mostRowsOfWindow = 384

  /// Whether copies into another layout cost as much as they save: for strided windows of one pixel, where the stride
  /// skips most pixels, and for channels that do not fill vectors, where padded planes are used instead. The weight
  /// gradient of a kernel with many taps is worth the copies.
  fileprivate func isCopyBound(_ pass: Convolution.Pass) -> Bool {
    if kernel.wrappedProduct == 1 { return true }
    guard inputChannels < Self.leastVectorChannels, stride == SIMD3(1, 1, 1) else { return false }
    return pass == .output || pass == .weightGradient && kernel.wrappedProduct <= 9
  }
}
