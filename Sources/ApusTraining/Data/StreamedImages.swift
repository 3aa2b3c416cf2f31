import ApusData
import ApusTensor
import Synchronization

/// Images that threads read and transform ahead of training or evaluation.
///
/// Inputs are standardized pixels, float32 `[batch, channels, height, width]`. Targets are classes, int32 `[batch]`;
/// when a pipeline mixes examples, they are distributions, float32 `[batch, classes]`.
public struct StreamedImages: ExampleSource {
  /// The images, which threads read ahead of their use.
  public let source: any ImageSource
  /// How training loads images. Images that cannot be read are replaced, or are an error.
  public let training: ImageLoader.Options
  /// How evaluation loads images. Images that cannot be read are left out, or are an error.
  public let evaluation: ImageLoader.Options
  /// The statistics that standardize the pixels.
  public let statistics: PixelStatistics
  /// The number of classes.
  public let classCount: Int
  /// The device that stores the batches.
  public let device: ComputeDevice
  /// The images that could not be read, and that training has replaced or evaluation has left out.
  public let unreadable = UnreadableImages()

  /// - Parameters:
  ///   - training: the options in training; by default the options of evaluation. If `badImages` is not `.refused`,
  ///     `.replaced` is used.
  ///   - evaluation: the options in evaluation. If `badImages` is not `.refused`, `.leftOut` is used: images that
  ///     cannot be read do not count.
  public init(
    _ source: any ImageSource, training: ImageLoader.Options? = nil, evaluation: ImageLoader.Options,
    statistics: PixelStatistics, classCount: Int, device: ComputeDevice = .current
  ) {
    self.source = source
    var options = (training: training ?? evaluation, evaluation: evaluation)
    if options.training.badImages != .refused { options.training.badImages = .replaced }
    if options.evaluation.badImages != .refused { options.evaluation.badImages = .leftOut }
    (self.training, self.evaluation) = (options.training, options.evaluation)
    self.statistics = statistics
    self.classCount = classCount
    self.device = device
  }

  public var count: Int { source.labels.count }

  /// The requested images as inputs and targets, as `StreamedImages` describes them. An image that cannot be read is an
  /// error, even if a pass would leave it out.
  public func examples(_ numbers: [Int32]) throws(DataError) -> (inputs: Tensor, targets: Tensor) {
    var options = evaluation
    options.badImages = .refused
    var pass = pass(over: [numbers], from: 0, epoch: 0, options)
    guard let examples = try pass.next() else { fatalError("StreamedImages: a batch is missing") }
    return examples
  }

  public func pass(over batches: [[Int32]], from first: Int, epoch: Int?) -> any ExamplePass {
    pass(over: batches, from: first, epoch: epoch ?? 0, epoch == nil ? evaluation : training)
  }

  private func pass(
    over batches: [[Int32]], from first: Int, epoch: Int, _ options: ImageLoader.Options
  ) -> ImagePass {
    let loader = ImageLoader(source, batches: batches, epoch: epoch, from: first, options: options)
    return ImagePass(loader: loader, images: self, isMixed: !options.pipeline.mixing.isEmpty)
  }
}

/// The images that a training or an evaluation could not read.
public final class UnreadableImages: Sendable {
  private let found = Mutex<(count: Int, first: [ImageLoader.BadImage])>((0, []))

  /// The largest number of different images that one pass over the batches could not read.
  public var count: Int { found.withLock { $0.count } }
  /// The first images, at most 10, that the pass with the largest number, `count`, could not read.
  public var first: [ImageLoader.BadImage] { found.withLock { $0.first } }

  /// Records the unreadable images of a loader. Each epoch has a new loader, which finds the same images again, so the
  /// largest count is kept.
  fileprivate func note(_ loader: ImageLoader) {
    found.withLock { found in
      if loader.badCount > found.count { found = (loader.badCount, loader.badImages) }
    }
  }
}

private struct ImagePass: ExamplePass {
  let loader: ImageLoader
  let images: StreamedImages
  let isMixed: Bool
  private(set) var missing: [Int] = []

  init(loader: ImageLoader, images: StreamedImages, isMixed: Bool) {
    (self.loader, self.images, self.isMixed) = (loader, images, isMixed)
  }

  var waitedSeconds: Double { loader.waitedSeconds }

  mutating func next() throws(DataError) -> (inputs: Tensor, targets: Tensor)? {
    guard let batch = try loader.next() else { return nil }
    if loader.badCount > 0 { images.unreadable.note(loader) }
    missing = batch.missing
    let inputs = images.statistics.standardizing(batch.images(on: images.device))
    guard isMixed, let mix = batch.mix else { return (inputs, Tensor(batch.labels, device: images.device)) }
    let targets = Tensor(
      mix.distributions(of: batch.labels, classCount: images.classCount),
      shape: [batch.count, images.classCount], device: images.device)
    guard mix.kind == .mixup else { return (inputs, targets) }
    // The mixing ratio is a tensor, not a Swift number, so that all ratios run the same plan.
    let share = Tensor([Float(mix.ownShare)], device: images.device)
    let partners = inputs[Tensor(mix.partners, device: images.device)]
    return (inputs * share + partners * (1 - share), targets)
  }
}

extension MixPlan {
  /// `λ · onehot(label) + (1 − λ) · onehot(label of the partner)` for each example, `[batch, classes]`, where λ is
  /// `ownShare`.
  fileprivate func distributions(of labels: [Int32], classCount: Int) -> [Float] {
    var shares = [Float](repeating: 0, count: labels.count * classCount)
    for (position, label) in labels.enumerated() {
      shares[position * classCount + Int(label)] += Float(ownShare)
      shares[position * classCount + Int(labels[Int(partners[position])])] += Float(1 - ownShare)
    }
    return shares
  }
}
