import Apus
import ApusSystem
import ApusTestSupport
import Glibc
import Synchronization
import Testing

@testable import ApusData

/// Encoded images of different sizes in memory. The images in `bad` are truncated, so they cannot be decoded.
private struct Files: ImageSource {
  let files: [[UInt8]]
  let labels: [Int32]
  let bad: Set<Int>
  /// Counts the requests for images.
  let count = Counter()

  final class Counter: Sendable {
    let value = Atomic(0)
    /// The requesting threads, as `process/task/thread` below `/proc`.
    let threads = Mutex<Set<String>>([])

    static var thread: String {
      var name = [UInt8](repeating: 0, count: 64)
      let count = name.withUnsafeMutableBytes { readlink("/proc/thread-self", $0.baseAddress!, 64) }
      return String(decoding: name.prefix(max(count, 0)), as: UTF8.self)
    }
  }

  init(_ count: Int, bad: Set<Int> = []) {
    files = (0..<count).map { number in
      let image = ImageFileTests.scene(20 + number % 7, 30 - number % 5, number % 4 == 0 ? 1 : 3, seed: UInt64(number))
      return number % 2 == 0 ? image.pngData() : image.jpegData()
    }
    labels = (0..<Int32(count)).map { $0 % 10 }
    self.bad = bad
  }

  func image(_ number: Int) throws(DataError) -> Image {
    count.value.add(1, ordering: .relaxed)
    count.threads.withLock { _ = $0.insert(Counter.thread) }
    let file = bad.contains(number) ? Array(files[number].dropLast(9)) : files[number]
    return try Image(decoding: file, path: name(of: number))
  }

  func name(of number: Int) -> String { "picture \(number)" }
}

struct ImageLoaderTests {
  /// If batches need more memory than the limit, the first request throws, with and without worker threads.
  @Test(arguments: [0, 2]) func batchesThatAreTooLarge(workers: Int) {
    let size = [3, 1 << 13, 1 << 13]
    let loader = ImageLoader(
      Files(600), batches: [[Int32](0..<600), [0]], epoch: 0,
      options: ImageLoader.Options(
        imageSize: size, pipeline: ImagePipeline([Resize(ImageSize(height: size[1], width: size[2]))]), workers: workers
      ))
    let error = #expect(throws: DataError.self) { try loader.next() }
    #expect(
      error?.description.contains("3 batches of 600 images of 3x8192x8192 need 337.5 GiB; the limit is ") == true)
  }

  private let source = Files(53)

  private func options(
    _ text: String, workers: Int, size: [Int] = [3, 16, 16], ahead: Int = 2,
    bad: ImageLoader.BadImages = .refused
  ) throws -> ImageLoader.Options {
    ImageLoader.Options(
      imageSize: size, pipeline: try ImagePipeline(parsing: text), seed: 11, workers: workers, batchesAhead: ahead,
      badImages: bad)
  }

  private func order(_ epoch: Int, count: Int = 53) -> MinibatchOrder.Epoch {
    MinibatchOrder(count: count, batchSize: 8, seed: 11).epoch(epoch)
  }

  /// The fields by which batches are compared.
  private struct Record: Hashable {
    var number: Int
    var pixels: [UInt8]
    var labels: [Int32]
    var examples: [Int32]
    var mix: MixPlan?

    init(_ batch: LoadedBatch) {
      (number, pixels, labels) = (batch.number, batch.pixels.array(), batch.labels)
      (examples, mix) = (batch.examples, batch.mix)
    }
  }

  private func records(_ loader: ImageLoader) throws -> [Record] {
    var records: [Record] = []
    while let batch = try loader.next() { records.append(Record(batch)) }
    #expect(try loader.next() == nil)
    return records
  }

  private static let augmentation = "resized-crop 16, flip, color 0.3 hue 0.1, rotate 9, erase 0.5, mixup, cutmix"

  /// Batches do not depend on the number of workers, on the number of batches read ahead, or on the batch at which
  /// reading starts.
  @Test func threadsAndStartsDoNotMatter() throws {
    let text = ImageLoaderTests.augmentation
    let one = try records(ImageLoader(source, batches: order(2), epoch: 2, options: options(text, workers: 0)))
    #expect(one.map(\.number) == Array(0..<7) && one.map(\.labels.count) == [8, 8, 8, 8, 8, 8, 5])
    #expect(one.flatMap(\.examples) == order(2).examples)
    #expect(Set(one.compactMap(\.mix?.kind)).count == 2)
    for workers in [1, 2, 4, 9] {
      for ahead in [1, 3] {
        let loader = try ImageLoader(
          source, batches: order(2), epoch: 2, options: options(text, workers: workers, ahead: ahead))
        #expect(loader.workerCount == workers)
        #expect(try records(loader) == one, "\(workers) workers, \(ahead) ahead")
        let late = try ImageLoader(
          source, batches: order(2), epoch: 2, from: 4, options: options(text, workers: workers, ahead: ahead))
        #expect(try records(late) == Array(one[4...]))
      }
    }
    let end = try ImageLoader(source, batches: order(2), epoch: 2, from: 7, options: options(text, workers: 2))
    #expect(try records(end).isEmpty)
    let other = try records(ImageLoader(source, batches: order(2), epoch: 3, options: options(text, workers: 2)))
    #expect(other.map(\.examples) == one.map(\.examples) && other.map(\.pixels) != one.map(\.pixels))
  }

  @Test func repeatedExamplesGetNewTransforms() throws {
    let batches: [[Int32]] = [[3, 4, 3], [3, 5]]
    let found = try records(
      ImageLoader(source, batches: batches, epoch: 0, options: options("resized-crop 16", workers: 2)))
    let area = 3 * 16 * 16
    let images = found.flatMap { record in
      stride(from: 0, to: record.pixels.count, by: area).map { Array(record.pixels[$0..<$0 + area]) }
    }
    #expect(found.flatMap(\.examples) == [3, 4, 3, 3, 5] && Set(images).count == 5)
    let alone = try records(
      ImageLoader(source, batches: batches, epoch: 0, from: 1, options: options("resized-crop 16", workers: 0)))
    #expect(alone == [found[1]])
  }

  @Test func imagesInMemoryAreCopied() throws {
    let set = ImageSet(
      channels: 3, height: 4, width: 5, pixels: (0..<60 * 30).map { UInt8(truncatingIfNeeded: $0 * 7) },
      labels: (0..<30).map { $0 % 3 })
    for workers in [0, 3] {
      let found = try records(
        ImageLoader(
          set, batches: order(0, count: 30), epoch: 0, options: options("", workers: workers, size: [3, 4, 5])))
      for record in found {
        for (place, example) in record.examples.enumerated() {
          let start = Int(example) * 60
          #expect(record.pixels[place * 60..<place * 60 + 60] == set.pixels[start..<start + 60])
          #expect(record.labels[place] == example % 3)
        }
      }
    }
    // With transforms, the loader does not use the code that only copies images. Two flips restore an image, so the
    // pixels are the same.
    let copied = try records(
      ImageLoader(set, batches: order(0, count: 30), epoch: 0, options: options("", workers: 0, size: [3, 4, 5])))
    let flipped = try records(
      ImageLoader(
        set, batches: order(0, count: 30), epoch: 0, options: options("flip 1, flip 1", workers: 0, size: [3, 4, 5])))
    #expect(copied == flipped)
  }

  @Test func imagesHaveTheRequestedChannels() throws {
    for (channels, number) in [(1, 1), (3, 0), (1, 0), (3, 1)] {
      let loader = try ImageLoader(
        source, batches: [[Int32(number)]], epoch: 0,
        options: options("resize 16", workers: 1, size: [channels, 16, 16]))
      let batch = try #require(try loader.next())
      #expect(batch.imageSize == [channels, 16, 16] && batch.names == ["picture \(number)"])
      let bytes = batch.pixels.array()
      #expect(bytes.count == channels * 256)
      if number == 0, channels == 3 { #expect(bytes[..<256] == bytes[256..<512]) }
      let image = try source.image(number).converted(toChannels: 1).resized(to: ImageSize(height: 16, width: 16))
      if channels == 1 { #expect(bytes == image.pixels) }
      try withDevice(ComputeDevice.named("cpu")) {
        #expect(batch.images().shape == [1, channels, 16, 16] && batch.images().dtype == .uint8)
      }
    }
  }

  @Test func errorsComeWithTheirBatch() throws {
    let files = Files(40, bad: [9, 13, 30])
    let batches = (0..<5).map { (8 * $0..<8 * $0 + 8).map(Int32.init) }
    for workers in [0, 1, 4] {
      let loader = try ImageLoader(files, batches: batches, epoch: 0, options: options("resize 16", workers: workers))
      #expect(try loader.next()?.number == 0)
      let error = #expect(throws: DataError.self) { try loader.next() }
      #expect(error?.description.hasPrefix("picture 9: not a valid JPEG") == true, "\(error!)")
      #expect(try loader.next()?.number == 2)
      #expect(throws: DataError.self) { try loader.next() }
      #expect(try loader.next()?.number == 4)
      #expect(try loader.next() == nil)
    }
    let unequal = try ImageLoader(source, batches: [[5]], epoch: 0, options: options("shorter 16", workers: 1))
    let error = #expect(throws: DataError.self) { try unequal.next() }
    #expect(error?.description.contains("picture 5") == true && error?.description.contains("16x16 is needed") == true)
  }

  @Test func badImagesAreReplaced() throws {
    let files = Files(40, bad: [9, 10, 13, 39])
    let batches = (0..<5).map { (8 * $0..<8 * $0 + 8).map(Int32.init) }
    var all: [[Record]] = []
    for workers in [0, 1, 4] {
      let loader = try ImageLoader(
        files, batches: batches, epoch: 0,
        options: options("resized-crop 16, flip", workers: workers, bad: .replaced))
      #expect(loader.badCount == 0)
      all.append(try records(loader))
      #expect(loader.badCount == 4)
      #expect(loader.badImages.map(\.name) == ["picture 9", "picture 10", "picture 13", "picture 39"])
    }
    #expect(all[0] == all[1] && all[0] == all[2])
    let examples = all[0].flatMap(\.examples)
    #expect(examples[9..<14] == [11, 11, 11, 12, 14] && examples[39] == 0)
    #expect(all[0].flatMap(\.labels)[9] == 1 && all[0].flatMap(\.labels)[13] == 4)
    let late = try ImageLoader(
      files, batches: batches, epoch: 0, from: 4, options: options("resized-crop 16, flip", workers: 2, bad: .replaced))
    #expect(try records(late) == [all[0][4]])
    #expect(late.badCount == 1)
  }

  /// With `replaced`, a batch fails if no image of the epoch is readable. The images of a failed batch are not counted
  /// as bad.
  @Test(arguments: [0, 1, 2]) func batchesWithoutAReadableImageFail(_ workers: Int) throws {
    let loader = try ImageLoader(
      Files(8, bad: Set(0..<8)), batches: [Array(0..<8)], epoch: 0,
      options: options("resize 16", workers: workers, bad: .replaced))
    let error = #expect(throws: DataError.self) { try loader.next() }
    #expect(error?.description.hasPrefix("picture ") == true, "\(error!)")
    #expect(loader.badCount == 0 && loader.badImages.isEmpty)
    #expect(try loader.next() == nil)
  }

  /// For an evaluation, bad images are left out, not replaced by others.
  @Test func badImagesAreLeftOut() throws {
    let batches = (0..<5).map { (8 * $0..<8 * $0 + 8).map(Int32.init) }
    let whole = try records(
      ImageLoader(Files(40), batches: batches, epoch: 0, options: options("resize 16", workers: 1)))
    let bad: Set = [9, 10, 39]
    for workers in [0, 1, 4] {
      let loader = try ImageLoader(
        Files(40, bad: bad), batches: batches, epoch: 0,
        options: options("resize 16", workers: workers, bad: .leftOut))
      var missing: [Int] = []
      while let batch = try loader.next() {
        missing += batch.missing.map { batch.number * 8 + $0 }
        #expect(batch.examples == batches[batch.number] && batch.labels == whole[batch.number].labels)
        let (size, pixels) = (3 * 16 * 16, batch.pixels.array())
        for place in 0..<8 {
          let range = place * size..<(place + 1) * size
          let isBad = bad.contains(batch.number * 8 + place)
          #expect(
            pixels[range] == (isBad ? [UInt8](repeating: 0, count: size)[...] : whole[batch.number].pixels[range]))
        }
      }
      #expect(missing == [9, 10, 39] && loader.badCount == 3)
      #expect(loader.badImages.map(\.name) == ["picture 9", "picture 10", "picture 39"])
    }
    // Bad images are also left out if no image is readable.
    let none = try ImageLoader(
      Files(8, bad: Set(0..<8)), batches: [Array(0..<8)], epoch: 0,
      options: options("resize 16", workers: 2, bad: .leftOut))
    #expect(try none.next()?.missing == Array(0..<8) && none.badCount == 8)
  }

  /// Workers read at most `batchesAhead` batches ahead.
  @Test func theNumberOfBatchesAheadIsBounded() throws {
    let loader = try ImageLoader(
      source, batches: order(0), epoch: 0, options: options("resize 16", workers: 3, ahead: 2))
    #expect(try loader.next() != nil)
    // One batch was returned, and exactly two more are read ahead: 24 images.
    for _ in 0..<200 where source.count.value.load(ordering: .relaxed) < 24 { usleep(10_000) }
    usleep(50_000)
    #expect(source.count.value.load(ordering: .relaxed) == 24)
    #expect(loader.waitedSeconds > 0)
  }

  @Test func anEarlyEndLeavesNoThread() throws {
    for round in 0..<30 {
      let loader = try ImageLoader(source, batches: order(0), epoch: 0, options: options("resize 16", workers: 4))
      for _ in 0...round % 3 { _ = try loader.next() }
    }
    let threads = source.count.threads.withLock { $0 }
    #expect(threads.count >= 30 && !threads.contains(Files.Counter.thread))
    #expect(FileSystem.exists("/proc/\(Files.Counter.thread)"))
    // The system still lists a joined thread for a moment.
    func left() -> Set<String> { threads.filter { FileSystem.exists("/proc/\($0)") } }
    for _ in 0..<1000 where !left().isEmpty { usleep(10_000) }
    #expect(left().isEmpty)
  }

  @Test func statisticsEqualTheStatisticsOfAllPixels() throws {
    let options = try options("resize 16", workers: 2)
    let all = try PixelStatistics(of: source, options: options)
    var pixels: [UInt8] = []
    for batch in try records(ImageLoader(source, batches: [Array(0..<53)], epoch: 0, options: options)) {
      pixels += batch.pixels
    }
    let set = ImageSet(channels: 3, height: 16, width: 16, pixels: pixels, labels: source.labels)
    #expect(all == PixelStatistics(of: set))
    let some = try PixelStatistics(of: source, options: options, limit: 10)
    #expect(some != all && abs(some.mean[0] - all.mean[0]) < 0.05)
  }
}
