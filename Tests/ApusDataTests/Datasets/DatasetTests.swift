import ApusTestSupport
import Foundation
import Testing

@testable import ApusData

struct DatasetTests {
  @Test func fashionMNIST() throws {
    let data = try ImageDataset.load("fashion-mnist")
    let (train, test) = try parts(data)
    #expect(train.count == 60_000 && test.count == 10_000)
    #expect(data.imageSize == [1, 28, 28] && data.validation == nil)
    #expect(train.labels.prefix(5) == [9, 0, 0, 3, 0])
    #expect(test.labels.prefix(5) == [9, 2, 1, 1, 6])
    #expect(data.classNames[9] == "ankle boot")
    for set in [train, test] {
      for label in 0..<10 { #expect(set.labels.count { $0 == label } == set.count / 10) }
    }
    // The expected values are NumPy's x.mean() and x.std(ddof=1), where x is the training pixels / 255 in float64.
    let statistics = try #require(data.statistics)
    #expect(abs(statistics.mean[0] - 0.2860405969887955) < 1e-14)
    #expect(abs(statistics.standardDeviation[0] - 0.35302424826730616) < 1e-14)
  }

  /// The training and test images of an in-memory data set.
  private func parts(_ data: ImageDataset) throws -> (train: ImageSet, test: ImageSet) {
    (try #require(data.train as? ImageSet), try #require(data.test as? ImageSet))
  }

  @Test func aFractionOfEachClassIsHeldOutForValidation() throws {
    let all = try ImageDataset.load("synthetic")
    let data = try ImageDataset.load("synthetic", split: SplitOptions(validation: 0.25, seed: 3))
    let (train, test) = try parts(data)
    let validation = try #require(data.validation as? ImageSet)
    #expect(train.count == 7_500 && validation.count == 2_500 && test.count == 2_000)
    #expect(test.pixels == (try parts(all)).test.pixels)
    for label in 0..<10 {
      let counts = [train, validation].map { $0.labels.count { $0 == label } }
      #expect(abs(counts[0] - 3 * counts[1]) <= 3, "\(counts)")
    }
    #expect(data.statistics == PixelStatistics(of: train) && data.statistics != all.statistics)
  }

  @Test func planarPixelsBecomeInterleaved() {
    let images = ImageSet(
      channels: 3, height: 1, width: 2, pixels: [9, 9, 9, 9, 9, 9, 1, 2, 3, 4, 5, 6], labels: [0, 1])
    #expect(images.image(1) == Image(height: 1, width: 2, channels: 3, pixels: [1, 3, 5, 2, 4, 6]))
    #expect(images.name(of: 1) == "1")
    let gray = ImageSet(channels: 1, height: 1, width: 2, pixels: [1, 2, 3, 4], labels: [0, 1])
    #expect(gray.image(1).pixels == [3, 4])
    #expect(gray.selecting([1, 0, 1]).pixels == [3, 4, 1, 2, 3, 4] && gray.selecting([1]).labels == [1])
    let subset = ImageSubset(gray, numbers: [1])
    #expect((try? subset.image(0).pixels) == [3, 4] && subset.labels == [1] && subset.name(of: 0) == "1")
  }

  @Test func statisticsOfEachChannel() {
    let images = ImageSet(
      channels: 2, height: 1, width: 2, pixels: [0, 255, 51, 51, 255, 0, 51, 51], labels: [0, 1])
    let statistics = PixelStatistics(of: images)
    #expect(statistics.mean[0] == 0.5 && abs(statistics.mean[1] - 0.2) < 1e-15)
    #expect(abs(statistics.standardDeviation[0] - (1.0 / 3).squareRoot()) < 1e-15)
    #expect(statistics.standardDeviation[1] < 1e-15)
  }

  @Test func syntheticIsTheSameEachTime() throws {
    let data = try ImageDataset.load("synthetic")
    let (one, other) = (try parts(data), try parts(ImageDataset.load("synthetic")))
    #expect(one.train.pixels == other.train.pixels && one.train.labels == other.train.labels)
    #expect(one.train.pixels[..<one.test.pixels.count] != one.test.pixels[...])
    #expect(one.train.count == 10_000 && one.test.count == 2_000 && data.classNames.count == 10)
  }

  /// The nearest class mean is a weak classifier: its accuracy has to be well above chance and below 1.
  @Test func syntheticCanBeLearned() throws {
    let data = try parts(ImageDataset.load("synthetic"))
    let size = data.train.imageByteCount
    var means = [[Float]](repeating: [Float](repeating: 0, count: size), count: 10)
    var counts = [Float](repeating: 0, count: 10)
    for (image, label) in data.train.labels.enumerated() {
      counts[Int(label)] += 1
      for index in 0..<size { means[Int(label)][index] += Float(data.train.pixels[image * size + index]) }
    }
    for label in 0..<10 { for index in 0..<size { means[label][index] /= counts[label] } }
    let right = data.test.labels.indices.count { image in
      let pixels = data.test.pixels[image * size..<(image + 1) * size]
      let distances = means.map { mean in
        zip(pixels, mean).reduce(Float(0)) { $0 + (Float($1.0) - $1.1) * (Float($1.0) - $1.1) }
      }
      return distances.firstIndex(of: distances.min()!)! == Int(data.test.labels[image])
    }
    #expect(right > 1200 && right < 2000, "\(right) of 2000")
  }

  @Test(arguments: ["nosuch", "mnist", "mnist:", "synthetic:3", "fashion-mnist:", ""])
  func unknownSources(source: String) {
    let error = #expect(throws: DataError.self) { try ImageDataset.load(source) }
    #expect(error == .unknownSource(source, known: DatasetDescription.all.map(\.source)))
  }
}

struct MNISTDirectoryTests {
  private let images: [UInt8] = [0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 2, 10, 20, 30, 40]
  private let labels: [UInt8] = [0, 0, 8, 1, 0, 0, 0, 2, 7, 3]

  private func directory(
    images: [UInt8]? = nil, labels: [UInt8]? = nil, testImages: [UInt8]? = nil
  ) throws -> ScratchDirectory {
    let scratch = try ScratchDirectory()
    _ = try scratch.write(images ?? self.images, to: "train-images-idx3-ubyte")
    _ = try scratch.write(gzipped(labels ?? self.labels), to: "train-labels-idx1-ubyte.gz")
    _ = try scratch.write(testImages ?? self.images, to: "t10k-images.idx3-ubyte")
    _ = try scratch.write(self.labels, to: "t10k-labels-idx1-ubyte")
    return scratch
  }

  private func failure(_ scratch: ScratchDirectory) throws -> String {
    let error = #expect(throws: DataError.self) { try ImageDataset.load("mnist:\(scratch.path)") }
    return try #require(error).description
  }

  @Test func readsPlainAndCompressedFiles() throws {
    let scratch = try directory()
    let data = try ImageDataset.load("mnist:\(scratch.path)")
    let train = try #require(data.train as? ImageSet)
    #expect(train.pixels == [10, 20, 30, 40] && train.labels == [7, 3])
    #expect(data.imageSize == [1, 1, 2])
  }

  @Test func aMissingFileIsNamed() throws {
    let scratch = try directory()
    try FileManager.default.removeItem(atPath: scratch.file("t10k-labels-idx1-ubyte"))
    let text = try failure(scratch)
    #expect(text.contains("t10k-labels-idx1-ubyte") && text.contains("use a folder that contains"))
  }

  @Test func countsMustAgree() throws {
    let three: [UInt8] = [0, 0, 8, 1, 0, 0, 0, 3, 1, 2, 3]
    #expect(try failure(directory(labels: three)).contains("3 labels for images of sizes [2, 1, 2]"))
  }

  /// A few megabytes can expand to gigabytes of pixels: the number of labels and the memory for the pixels are checked
  /// before any pixel is inflated.
  @Test func countsAreCheckedBeforeDecompression() throws {
    let header: [UInt8] = [0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0x80, 0, 0, 0, 0x80, 0]
    let zeros = gzipped([UInt8](repeating: 0, count: 1 << 24))
    let bomb = gzipped(header) + (0..<512).flatMap { _ in zeros }
    let start = ContinuousClock.now
    let scratch = try directory(labels: [0, 0, 8, 1, 0, 0, 0, 3, 1, 2, 3])
    try FileManager.default.removeItem(atPath: scratch.file("train-images-idx3-ubyte"))
    _ = try scratch.write(bomb, to: "train-images-idx3-ubyte.gz")
    #expect(try failure(scratch).contains("3 labels for images of sizes [2, 32768, 32768]"))
    _ = try scratch.write([0, 0, 8, 1, 0, 0, 0, 2, 7, 10], to: "train-labels-idx1-ubyte")
    try FileManager.default.removeItem(atPath: scratch.file("train-labels-idx1-ubyte.gz"))
    #expect(try failure(scratch).contains("in record 1: label 10"))
    // This file declares as many images as there are labels, but more pixels than the memory budget allows.
    let huge = gzipped([0, 0, 8, 3, 0, 0, 0, 2, 0, 2, 0, 0, 0, 2, 0, 0]) + zeros
    _ = try scratch.write(huge, to: "train-images-idx3-ubyte.gz")
    _ = try scratch.write([0, 0, 8, 1, 0, 0, 0, 2, 7, 3], to: "train-labels-idx1-ubyte")
    #expect(try failure(scratch).contains("elements of sizes [2, 131072, 131072] need 32"))
    // The length of an uncompressed file is known, and the header is compared with it.
    _ = try scratch.write(Array(header), to: "train-images-idx3-ubyte")
    try FileManager.default.removeItem(atPath: scratch.file("train-images-idx3-ubyte.gz"))
    #expect(try failure(scratch).contains("the header declares 2147483648 bytes of elements"))
    #expect(ContinuousClock.now - start < .seconds(5))
  }

  @Test func labelsMustBeClasses() throws {
    let text = try failure(directory(labels: [0, 0, 8, 1, 0, 0, 0, 2, 7, 10]))
    #expect(text.contains("train-labels-idx1-ubyte.gz") && text.contains("in record 1: label 10"))
  }

  @Test func imagesAndLabelsMustNotBeExchanged() throws {
    #expect(try failure(directory(images: labels)).contains("uint8 of rank 1, expected uint8 of rank 3"))
  }

  @Test func trainingAndTestImagesMustHaveOneSize() throws {
    let tall: [UInt8] = [0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 2, 0, 0, 0, 1, 10, 20, 30, 40]
    #expect(try failure(directory(testImages: tall)).contains("1x2, test images 2x1"))
  }

  @Test func anEmptySetIsRefused() throws {
    let noImages: [UInt8] = [0, 0, 8, 3, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 2]
    let noLabels: [UInt8] = [0, 0, 8, 1, 0, 0, 0, 0]
    #expect(try failure(directory(images: noImages, labels: noLabels)).contains("0 labels"))
  }
}
