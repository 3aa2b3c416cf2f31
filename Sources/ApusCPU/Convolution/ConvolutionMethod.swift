import ApusDevice

/// The algorithm that computes a pass of a convolution. `StepBuilder.convolution` builds the step of the algorithm.
/// `CPUDevice.channelsLast` checks whether a pass has an algorithm for an image order.
enum ConvolutionMethod {
  /// Winograd tiles of channels-last images.
  case winograd(WinogradGeometry)
  /// Windows, which are read in place from channels-last images or from the rows of channels-first images.
  case windows
  /// Copies of the channels (planes) with padding, for stride 1 and images that fill vectors.
  case planes(PlaneGeometry)
  /// A product of each image with the weights.
  case product(Matmul)
  /// Products with a matrix of the windows (im2col).
  case unfolded

  /// Chooses the method of a pass for images in the order `order`; `nil` if no method reads images in this order.
  ///
  /// - Parameters:
  ///   - product: the pass as a matrix product; `nil` if the pass is no product or its epilogue does not allow one.
  ///   - hasMatrixUnit: whether a matrix unit (AMX) multiplies the windows. If so, the method is `windows` and not
  ///     `winograd`, whose transforms do not run on the matrix unit.
  init?(
    _ g: ConvolutionGeometry, _ pass: Convolution.Pass, _ order: Convolution.Order, _ dtype: DType,
    product: Matmul? = nil, hasMatrixUnit: Bool = false
  ) {
    switch order {
    case .channelsLast:
      guard g.hasChannelsLastWindows(pass, dtype) else { return nil }
      let tiles = hasMatrixUnit ? nil : WinogradGeometry.profitable(g, pass: pass)
      self = tiles.map(ConvolutionMethod.winograd) ?? .windows
    case .mixed:
      guard g.hasMixedWindows(pass, dtype) else { return nil }
      self = .windows
    case .channelsFirst:
      let readsWindows =
        g.readsPlanes(pass, fewChannels: pass == .output ? 8 : 4)
        && g.outputChannels >= ConvolutionGeometry.leastVectorChannels && g.hasMixedWindows(pass, dtype)
      if let planes = PlaneGeometry(g, pass: pass, dtype: dtype), !readsWindows || !planes.hasGaps {
        self = .planes(planes)
      } else if readsWindows {
        self = .windows
      } else if g.output.wrappedProduct >= Self.leastPixels, let product {
        self = .product(product)
      } else {
        self = .unfolded
      }
    }
  }

  /// If an image has at least this number of result pixels, it has a product of its own (`product`). Smaller images
  /// share a matrix (`unfolded`).
  private static let leastPixels = 128
}

extension ConvolutionGeometry {
  /// The number of channels that fills a vector.
  static let leastVectorChannels = 16

  /// Whether windows of channels-last images can be read in place. All passes require windows of depth 1 (without a
  /// stride or padding along the depth), one group and `float32`. The input gradient also requires, on each axis, a
  /// stride or a dilation of 1, and the weight gradient requires output channels that fill vectors.
  fileprivate func hasChannelsLastWindows(_ pass: Convolution.Pass, _ dtype: DType) -> Bool {
    let isFlat = kernel.x == 1 && stride.x == 1 && padding.x == 0 && input.x == output.x
    guard isFlat, groups == 1, dtype == .float32 else { return false }
    switch pass {
    case .output: return true
    case .inputGradient: return (1...2).allSatisfy { stride[$0] == 1 || dilation[$0] == 1 }
    case .weightGradient: return outputChannels % Self.leastVectorChannels == 0
    }
  }

  /// Whether windows of a channels-first input can be read in place. The conditions of `hasChannelsLastWindows` apply.
  /// In addition, the input must have depth 1, and a row of the kernel must read contiguous elements. `false` for the
  /// input gradient, which does not read the input.
  fileprivate func hasMixedWindows(_ pass: Convolution.Pass, _ dtype: DType) -> Bool {
    pass != .inputGradient && dilation.z == 1 && input.x == 1 && hasChannelsLastWindows(pass, dtype)
  }

  /// Whether windows of a channels-first input are best read in place. This is so for
  /// (a) kernels with at least five columns, if there are at most `fewChannels` input channels;
  /// (b) the output pass, if the windows have a horizontal stride above 1 and several columns, a row of results has at
  /// least `leastWindowsOfRow` windows, and a window has at most `mostRowsOfWindow` rows of taps. Neighboring windows
  /// then read the same cache lines, and no channels-last copy of the image is needed.
  func readsPlanes(_ pass: Convolution.Pass, fewChannels: Int) -> Bool {
    if inputChannels <= fewChannels && kernel.z >= 5 { return true }
    return pass == .output && stride.z > 1 && kernel.z > 1 && output.z >= Self.leastWindowsOfRow
      && inputChannels * kernel.y <= Self.mostRowsOfWindow
  }

  /// The number of windows that fill a tile; all are in one row of results.
  private static let leastWindowsOfRow = 8
  /// The maximum number of rows of taps per window, over all channels, at which a tile of windows fits into an L1
  /// cache. With an L1 cache of 48 KiB, windows read in place took 0.67 to 0.88 of the time of channels-last windows
  /// for up to 384 rows, and 1.11 of this time for 768 rows.
  private static let mostRowsOfWindow = 384
}
