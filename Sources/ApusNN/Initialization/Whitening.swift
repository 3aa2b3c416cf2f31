import ApusTensor

/// Initializes the first convolution of a model such that its outputs are uncorrelated and have a variance of about 1
/// (Page, "How to train your ResNet 8: bag of tricks", 2019; Jordan, "94% on CIFAR-10 in 3.29 seconds on a single GPU",
/// 2024).
///
/// The filters are computed from the patches `p`: all windows of the kernel's size in the convolution's input, with
/// stride 1 and without padding, as vectors of `K = channels · height · width` elements. With the eigenvalues
/// `λ₁ ≥ λ₂ ≥ …` and the eigenvectors `vᵢ` of the mean of `p · pᵀ` over all patches, filter `i` is `vᵢ / √(λᵢ + ε)`.
/// The mean of the patches is not subtracted, so the pixels should be standardized. An activation function would lose
/// the negative outputs, so each filter occurs twice, with both signs: of `n` filters, the first half has the
/// eigenvectors with the largest eigenvalues, and the second half their negatives. Filters beyond `2 · K` keep their
/// values, and so does the bias.
///
/// The weight can stay fixed during training, see `Parameter.isTrainable`.
public struct Whitening: Sendable {
  /// The number `ε`, which limits the magnitude of the filters for eigenvectors with small eigenvalues.
  public var epsilon: Double

  /// - Precondition: `epsilon` is above 0.
  public init(epsilon: Double = 5e-4) {
    guard epsilon > 0 else { fatalError("Whitening: epsilon \(epsilon) must be above 0") }
    self.epsilon = epsilon
  }

  /// The largest number of elements of all patches that are in memory at a time, unless one image has more.
  private static let elementLimit = 1 << 24

  /// Initializes the first two-dimensional convolution that runs. Layers run in the current mode.
  ///
  /// - Parameter batch: an input of the model, `[batch, …]`. The convolution's own input is
  ///   `[batch, channels, height, width]`.
  /// - Returns: the weight of the convolution; `nil` if there is no such convolution, if it has several groups, or if
  ///   its input is empty or smaller than its kernel. The model is then unchanged.
  /// - Throws: `DeviceError` when the patches cannot be computed.
  @discardableResult
  public func callAsFunction(_ model: any Layer, on batch: Tensor) throws(DeviceError) -> Parameter? {
    let runs = LayerRecorder.recording { model(batch) }.runs
    guard let run = runs.first(where: { $0.module is Conv2d }), let layer = run.module as? Conv2d else { return nil }
    let (weight, input) = (layer.weight, run.input)
    let (height, width) = (weight.shape[2], weight.shape[3])
    guard layer.groups == 1, input.rank == 4, input.shape[0] > 0, height <= input.shape[2], width <= input.shape[3]
    else { return nil }
    let moments = try Whitening.moments(of: input, height, width)
    var values = try weight.value.array(of: Float.self)
    for (place, value) in filters(moments, size: input.shape[1] * height * width, count: weight.shape[0]).enumerated() {
      values[place] = value
    }
    weight.value = Tensor(values, shape: weight.shape, device: weight.value.device).cast(to: weight.dtype)
    return weight
  }

  /// The filters for a mean `moments` of `p · pᵀ`, `[size, size]`: at most `count` filters of `size` elements.
  func filters(_ moments: [Double], size: Int, count: Int) -> [Float] {
    let eigen = SymmetricEigenvectors(of: moments, size: size)
    let half = min(size, (count + 1) / 2)
    let numbers = (0..<half).map { ($0, 1.0) } + (0..<min(half, count - half)).map { ($0, -1.0) }
    return numbers.flatMap { number, sign in
      let scale = sign / (max(eigen.values[number], 0) + epsilon).squareRoot()
      return eigen.vectors[number].map { Float($0 * scale) }
    }
  }

  /// The mean of `p · pᵀ` over all patches `p` of `height` × `width` pixels of images
  /// `[batch, channels, rows, columns]`: `[K, K]`, row-major.
  private static func moments(of images: Tensor, _ height: Int, _ width: Int) throws(DeviceError) -> [Double] {
    let (count, size) = (images.shape[0], images.shape[1] * height * width)
    let patchCount = (images.shape[2] - height + 1) * (images.shape[3] - width + 1)
    let part = max(1, min(count, elementLimit / (size * patchCount)))
    var sums = [Double](repeating: 0, count: size * size)
    for start in stride(from: 0, to: count, by: part) {
      let length = min(part, count - start)
      // [batch, channels, top, left, height, width]
      let windows = images.slice(axis: 0, from: start, count: length)
        .unfolded(axis: 2, size: height).unfolded(axis: 3, size: width)
      let patches = windows.transposed([0, 1, 4, 5, 2, 3]).reshaped(to: [length, size, patchCount])
      let products = patches.matmul(patches.transposed([0, 2, 1])).sum(axis: 0)
      for (place, sum) in try products.array(of: Float.self).enumerated() { sums[place] += Double(sum) }
    }
    return sums.map { $0 / Double(count * patchCount) }
  }
}
