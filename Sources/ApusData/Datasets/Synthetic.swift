import ApusSystem

/// Generated images that need no files. Each class has a pattern of soft blobs. Each image shows the pattern of its
/// class, shifted, with random brightness and noise. A small network learns the classes, unless its code or training
/// has a mistake.
enum Synthetic {
  static let classCount = 10
  private static let size = 28
  private static let maximumShift = 3

  static func load(classNames: [String], trainCount: Int, testCount: Int) -> ImageDataset {
    let patterns = (0..<classCount).map(pattern)
    return ImageDataset(
      name: "synthetic", classNames: classNames,
      train: images(patterns, count: trainCount, stream: 1),
      test: images(patterns, count: testCount, stream: 2))
  }

  /// A pattern of six blobs with values in 0...1, on a canvas with margins for the shifts.
  private static func pattern(_ label: Int) -> [Double] {
    let random = CounterRandom(seed: 0x7377_6966, stream: UInt64(100 + label))
    let side = size + 2 * maximumShift
    var canvas = [Double](repeating: 0, count: side * side)
    for blob in 0..<6 {
      let y = 6 + random.unit(at: 3 * blob) * Double(side - 12)
      let x = 6 + random.unit(at: 3 * blob + 1) * Double(side - 12)
      let width = 4 + random.unit(at: 3 * blob + 2) * 12
      for index in canvas.indices {
        let (dy, dx) = (Double(index / side) - y, Double(index % side) - x)
        // A rational bell function: the last bit of `exp` would depend on the C library.
        let bell = 1 / (1 + (dy * dy + dx * dx) / width)
        canvas[index] += bell * bell
      }
    }
    let highest = canvas.max() ?? 1
    return canvas.map { $0 / highest }
  }

  private static func images(_ patterns: [[Double]], count: Int, stream: UInt64) -> ImageSet {
    let side = size + 2 * maximumShift
    var pixels = [UInt8](repeating: 0, count: count * size * size)
    var labels = [Int32](repeating: 0, count: count)
    for image in 0..<count {
      let random = CounterRandom(seed: UInt64(image), stream: stream)
      let label = random.integer(below: classCount, at: 0)
      let top = random.integer(below: 2 * maximumShift + 1, at: 1)
      let left = random.integer(below: 2 * maximumShift + 1, at: 2)
      let brightness = 120 + 80 * random.unit(at: 3)
      labels[image] = Int32(label)
      for index in 0..<size * size {
        let position = (top + index / size) * side + left + index % size
        let noise = random.unit(at: 4 + index) - 0.5
        let value = brightness * patterns[label][position] + 110 * noise + 40
        pixels[image * size * size + index] = UInt8(max(0, min(255, value)))
      }
    }
    return ImageSet(channels: 1, height: size, width: size, pixels: pixels, labels: labels)
  }
}

extension DatasetDescription {
  static let synthetic = DatasetDescription(
    name: "synthetic", summary: "10,000 + 2,000 generated images in 10 classes, no files",
    content: .images(size: [1, 28, 28], classNames: patterns) { _, _ throws(DataError) in
      Synthetic.load(classNames: patterns, trainCount: 10_000, testCount: 2_000)
    })

  private static let patterns = (0..<Synthetic.classCount).map { "pattern \($0)" }
}
