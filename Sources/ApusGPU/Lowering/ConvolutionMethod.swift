import ApusDevice

/// The kernels that compute a pass of a convolution. `PlanLowering` emits them. `GPUDevice.channelsLast` checks whether
/// a pass has kernels for channels-last images.
enum ConvolutionMethod {
  /// GPU kernels: an implicit GEMM, a matrix product that reads the windows from the images without im2col.
  case tiled
  /// For channels-last images: an implicit GEMM with asynchronous copies and, unless the factors are `float32`, with
  /// matrix units.
  case matrix
  /// For channels-last images: products of pixels with the weights of each tap (position in the kernel).
  case pixels
  case pixelGradient
  /// Winograd tiles of channels-last images.
  case winograd(WinogradTiling)
  case winogradGradient(WinogradGradientTiling)
  /// A product of each image with the weights.
  case product(Matmul)
  /// The gradient of the weights of a 1 × 1 kernel: one product per image, and the sum of these products.
  case gradientProducts(Matmul)
  case depthwise(DepthwiseTiling)
  /// For channels-first images: registers of neighboring pixels of one channel.
  case planes
  case planeGradient

  /// Chooses the method of a pass for images in the order `order`, channels first or last; `nil` if no method of the
  /// device reads this order.
  ///
  /// - Parameters:
  ///   - product: the pass as a product of matrices; `nil` if the pass is no such product or if its epilogue excludes
  ///     this method.
  ///   - mergesWeights: whether the epilogue can traverse all weights of an output channel as one axis.
  init?(
    _ g: ConvolutionGeometry, _ pass: Convolution.Pass, _ order: Convolution.Order, _ dtype: DType,
    _ inputPrecision: InputPrecision, _ target: KernelTarget, product: Matmul? = nil, mergesWeights: Bool = true
  ) {
    let width = target.width
    switch (target.kernelClass, order) {
    case (_, .mixed): return nil
    case (.gpu, .channelsLast):
      guard target.hasMatrixUnits, g.hasMatrixProducts(dtype, inputPrecision) else { return nil }
      self = .matrix
    case (.gpu, .channelsFirst): self = .tiled
    case (.cpu, .channelsLast):
      guard g.hasPixelProducts(dtype) else { return nil }
      if let tiling = WinogradTiling(g, pass, dtype, registerWidth: width) {
        self = .winograd(tiling)
      } else if pass != .weightGradient {
        self = .pixels
      } else if mergesWeights, let tiling = WinogradGradientTiling(g, dtype, registerWidth: width) {
        self = .winogradGradient(tiling)
      } else {
        self = .pixelGradient
      }
    case (.cpu, .channelsFirst):
      if let product, pass != .weightGradient {
        self = .product(product)
      } else if let product, g.hasFewSums {
        self = .gradientProducts(product)
      } else if let tiling = DepthwiseTiling(g, pass, registerWidth: width) {
        self = .depthwise(tiling)
      } else {
        self = pass == .weightGradient ? .planeGradient : .planes
      }
    }
  }
}

extension ConvolutionGeometry {
  /// Whether the kernels for channels-last images support the convolution: images and kernel have depth 1, the channels
  /// are one group, and the elements are floating-point numbers.
  func hasPixelProducts(_ dtype: DType) -> Bool {
    kernel.x == 1 && stride.x == 1 && padding.x == 0 && input.x == output.x && input.x == 1 && groups == 1
      && dtype.isFloatingPoint
  }

  /// Whether one gradient of weights per image needs no more memory than the images do.
  fileprivate var hasFewSums: Bool {
    outputChannels * inputChannels <= (outputChannels + inputChannels) * output.wrappedProduct
  }
}
