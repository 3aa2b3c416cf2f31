import Apus

/// The number of images per second that a loader decodes and transforms, on as many threads as the CPU device has.
public struct LoaderRate: Workload {
  public let name: String
  private let pipeline: String

  /// All workloads. They decode JPEG files that are in memory (256x256 pixels, quality 90) and return images of
  /// 3x224x224. The name of a workload lists its random transforms: crops with or without resizing, flips, changes of
  /// color.
  public static let all = [
    LoaderRate(name: "jpeg256-crop224", pipeline: "crop 224"),
    LoaderRate(name: "jpeg256-resized224-flip", pipeline: "resized-crop 224, flip"),
    LoaderRate(name: "jpeg256-resized224-flip-color", pipeline: "resized-crop 224, flip, color 0.4"),
  ]

  /// The workload with a given name.
  public static func find(_ name: String) throws(ProblemError) -> LoaderRate {
    if let workload = all.first(where: { $0.name == name }) { return workload }
    throw ProblemError(description: "unknown workload \"\(name)\"" + suggestion(for: name, in: all.map(\.name)))
  }

  /// The number of images in an epoch.
  private static let epochCount = 1024
  /// The number of images in a batch.
  private static let batchSize = 64

  public func run(on device: ComputeDevice, runs: Int, report: (Measurement) throws -> Void) throws {
    let images = SyntheticImages(count: 64, repeated: LoaderRate.epochCount)
    let threads = try ComputeDevice.named("cpu").info.computeUnits
    let options = ImageLoader.Options(
      imageSize: [3, 224, 224], pipeline: try ImagePipeline(parsing: pipeline), workers: threads)
    let order = MinibatchOrder(count: LoaderRate.epochCount, batchSize: LoaderRate.batchSize, seed: 1)
    var epoch = 0
    func run() throws -> Double {
      let start = ContinuousClock.now
      let loader = ImageLoader(images, batches: order.epoch(epoch), epoch: epoch, options: options)
      epoch += 1
      while try loader.next() != nil {}
      return (ContinuousClock.now - start) / .milliseconds(1)
    }
    _ = try run()
    let timing = Timing(samples: try (0..<Swift.max(runs, 1)).map { _ in try run() })
    var line = Measurement("loader", problem: name, device: device, timing: timing)
    line.device = "cpu"
    line.dtype = .uint8
    line.work = .images(LoaderRate.epochCount)
    try report(line)
  }
}

/// Synthetic images that resemble photographs: they have detail at every scale, more in brightness than in color.
/// `Peers/images.py` generates the same images.
private struct SyntheticImages: ImageSource {
  let files: [[UInt8]]
  let labels: [Int32]

  init(count: Int, repeated total: Int) {
    files = (0..<count).map { SyntheticImages.image($0).jpegData(quality: 90) }
    labels = [Int32](repeating: 0, count: total)
  }

  func image(_ number: Int) throws(DataError) -> Image {
    try Image(decoding: files[number % files.count], path: name(of: number))
  }

  func name(of number: Int) -> String { "image \(number)" }

  /// Gray (127) plus noise of seven octaves. An octave has four grids of random numbers, which are interpolated
  /// linearly to 256x256 pixels. The first grid is added to all three channels. Each of the other three grids is added
  /// to one channel, with 0.4 of the amplitude of the first grid. The grids of an octave have twice as many cells along
  /// each axis as the grids of the previous octave, and a smaller amplitude.
  private static func image(_ number: Int) -> Image {
    let side = 256
    var values = [Double](repeating: 127, count: 3 * side * side)
    for (octave, strength) in [60.0, 42, 30, 22, 17, 14, 11].enumerated() {
      let cells = 4 << octave
      let points = (cells + 1) * (cells + 1)
      let grids = (0..<4).map { plane in
        (0..<points).map { unit(UInt64(((number * 8 + octave) * 4 + plane) << 32 + $0)) }
      }
      for y in 0..<side {
        for x in 0..<side {
          let (row, column) = (y * cells / side, x * cells / side)
          let (lower, right) = (Double(y * cells % side) / Double(side), Double(x * cells % side) / Double(side))
          func value(_ grid: [Double]) -> Double {
            let position = row * (cells + 1) + column
            let upper = grid[position] * (1 - right) + grid[position + 1] * right
            let under = grid[position + cells + 1] * (1 - right) + grid[position + cells + 2] * right
            return upper * (1 - lower) + under * lower
          }
          let gray = value(grids[0])
          for channel in 0..<3 {
            values[(y * side + x) * 3 + channel] += strength * (gray + 0.4 * value(grids[channel + 1]))
          }
        }
      }
    }
    let pixels = values.map { UInt8(Swift.min(Swift.max($0, 0), 255)) }
    return Image(height: side, width: side, channels: 3, pixels: pixels)
  }

  /// A pseudo-random number in −1 ..< 1: SplitMix64's finalizer, applied to `number`.
  private static func unit(_ number: UInt64) -> Double {
    var bits = number
    bits = (bits ^ (bits >> 30)) &* 0xbf58_476d_1ce4_e5b9
    bits = (bits ^ (bits >> 27)) &* 0x94d0_49bb_1331_11eb
    return Double((bits ^ (bits >> 31)) >> 11) * 0x1p-52 - 1
  }
}
