extension PixelStatistics {
  /// Computes the statistics of images as a loader returns them, after the transforms.
  ///
  /// - Parameters:
  ///   - source: the training images
  ///   - options: the loading options; their transforms should not be random
  ///   - limit: the largest number of images to use, evenly spaced in the source
  /// - Throws: the error of the first unreadable image, unless `options` replace or leave out bad images. The pixels of
  ///   an image that is left out count as zeros.
  public init(
    of source: any ImageSource, options: ImageLoader.Options, limit: Int = 5_000
  ) throws(DataError) {
    let count = source.labels.count
    let taken = min(count, max(1, limit))
    let numbers = (0..<taken).map { Int32($0 * count / taken) }
    let byteCount = options.imageSize.reduce(1) { $0.multipliedReportingOverflow(by: $1).partialValue }
    // Large images are loaded in small batches, which take less memory. The batch size does not change the histograms.
    let size = min(64, max(1, (1 << 28) / max(1, byteCount)))
    let batches = stride(from: 0, to: taken, by: size).map { numbers[$0..<min($0 + size, taken)] }
    let (channels, area) = (options.imageSize[0], options.imageSize[1] * options.imageSize[2])
    var histograms = [[Int]](repeating: [Int](repeating: 0, count: 256), count: channels)
    let loader = ImageLoader(source, batches: batches, epoch: 0, options: options)
    while let batch = try loader.next() {
      batch.pixels.withBytes { bytes in
        let pixels = bytes.bindMemory(to: UInt8.self)
        for channel in 0..<channels {
          let found = PixelStatistics.histogram(pixels, from: channel * area, area, every: channels * area)
          for value in 0..<256 { histograms[channel][value] += found[value] }
        }
      }
    }
    self.init(histograms: histograms)
  }
}
