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
    // Products with whole images need no other order than the images have.
    let place: ChannelsLastPreference.Place =
      geometry.isPointwise ? .givenImages : geometry.isCopyBound(pass) ? .sequences : .everywhere
    return ChannelsLastPreference(place, readsChannelsFirst: readsChannelsFirst)
  }
}

extension ConvolutionGeometry {
  /// Channels that fill a vector.
  static let leastVectorChannels = 16

  /// Whether there is a step for channels last: for two spatial axes, one group, and `float32`.
  func allowsChannelsLast(_ pass: Convolution.Pass, _ dtype: DType) -> Bool {
    let isFlat = kernel.x == 1 && stride.x == 1 && padding.x == 0 && input.x == output.x
    guard isFlat, groups == 1, dtype == .float32 else { return false }
    switch pass {
    case .output: return true
    case .inputGradient: return (1...2).allSatisfy { stride[$0] == 1 || dilation[$0] == 1 }
    case .weightGradient: return outputChannels % Self.leastVectorChannels == 0
    }
  }

  /// Whether a step for channels last can read `x` with channels first: where the taps of a row lie side by side.
  func allowsMixedOrder(_ pass: Convolution.Pass, _ dtype: DType) -> Bool {
    pass != .inputGradient && dilation.z == 1 && input.x == 1 && allowsChannelsLast(pass, dtype)
  }

  /// Whether windows are best read where they lie with channels first: long rows of taps of at most `fewChannels`
  /// channels, or, for the output, windows that a stride takes apart. Of those, neighbours of a row read the same lines of
  /// the cache, and a copy of the image with channels last would take longer than it saves.
  func readsPlanes(_ pass: Convolution.Pass, fewChannels: Int) -> Bool {
    if inputChannels <= fewChannels && kernel.z >= 5 { return true }
    return pass == .output && stride.z > 1 && kernel.z > 1 && output.z >= Self.leastWindowsOfRow
      && inputChannels * kernel.y <= Self.mostRowsOfWindow
  }

  /// Windows of a row that fill a tile.
  private static let leastWindowsOfRow = 8
  /// Rows of taps of a window that a first-level cache holds for a tile of windows (measured on 48 KiB: 1.14 to 1.5 times
  /// the speed of channels last up to 384 rows, 0.90 for 768).
  private static let mostRowsOfWindow = 384

  /// Whether copies into another order take as long as they save: where windows are single pixels, of which a stride
  /// skips most, and where channels do not fill vectors and planes are padded instead. The gradient of weights of many
  /// taps is worth them.
  fileprivate func isCopyBound(_ pass: Convolution.Pass) -> Bool {
    if kernel.wrappedProduct == 1 { return true }
    guard inputChannels < Self.leastVectorChannels, stride == SIMD3(1, 1, 1) else { return false }
    return pass == .output || pass == .weightGradient && kernel.wrappedProduct <= 9
  }
}
