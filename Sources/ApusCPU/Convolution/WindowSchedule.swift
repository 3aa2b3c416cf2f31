import ApusSystem

/// The split of the work of a `WindowConvolutionStep` into tasks. The split depends only on the shape.
struct WindowSchedule {
  struct Task {
    var images: Range<Int>
    /// Rows of result pixels.
    var rows: Range<Int>
    var channels: Range<Int>
  }

  private let geometry: WindowGeometry
  private let images: Int
  private let rows: Int
  private let channels: Int

  /// With at least this number of tasks, all threads get about equal work.
  private static let enough = 16
  /// The minimum number of rows at which a matrix product keeps the arithmetic units busy.
  private static let enoughRows = 8
  /// The number of channels of a task is a multiple of this number, so that the task has whole panels of the weights.
  private static let channelGrain = 32

  init(_ geometry: WindowGeometry) {
    self.geometry = geometry
    let results = geometry.results
    let longest = geometry.phases.reduce(0) { max($0, $1.x.count, $1.y.count) }
    // If images have few pixels, a product combines several images.
    images = longest >= Self.enoughRows ? 1 : min(geometry.images, 36)
    var rows = max(1, results.height)
    let pixelWork = max(1, results.width * geometry.work * results.channels)
    let imageBlocks = ceilDivide(geometry.images, max(1, images))
    func blocks(_ rows: Int) -> Int { imageBlocks * ceilDivide(results.height, rows) }
    while blocks(rows) < Self.enough, rows > Self.enoughRows,
      rows * images * pixelWork > 2 * TaskLimits.multiplyAddCount
    {
      rows = ceilDivide(rows, 2)
    }
    var channels = roundUp(results.channels, toMultipleOf: Self.channelGrain)
    while blocks(rows) * ceilDivide(results.channels, channels) < Self.enough, channels > Self.channelGrain {
      channels = roundUp(channels / 2, toMultipleOf: Self.channelGrain)
    }
    (self.rows, self.channels) = (rows, max(1, channels))
  }

  private var rowBlocks: Int { ceilDivide(geometry.results.height, rows) }
  private var channelBlocks: Int { ceilDivide(geometry.results.channels, channels) }

  var taskCount: Int {
    guard geometry.images > 0, geometry.results.image > 0 else { return 0 }
    return ceilDivide(geometry.images, images) * rowBlocks * channelBlocks
  }

  /// Rows and channels of the largest task.
  var rowsOfTask: Int { min(rows, geometry.results.height) }
  var channelsOfTask: Int { min(channels, geometry.results.channels) }
  /// Results of the largest task.
  var largestTask: Int {
    min(images, geometry.images) * rowsOfTask * geometry.results.width * channelsOfTask
  }

  /// The task with an index; the tasks that read the same images have consecutive indices.
  func task(_ index: Int) -> Task {
    let (rest, channel) = index.quotientAndRemainder(dividingBy: channelBlocks)
    let (image, row) = rest.quotientAndRemainder(dividingBy: rowBlocks)
    return Task(
      images: blockRange(image, size: images, count: geometry.images),
      rows: blockRange(row, size: rows, count: geometry.results.height),
      channels: blockRange(channel, size: channels, count: geometry.results.channels))
  }

  /// Chooses the axis of the results that becomes the rows of a matrix product: images (0), rows of pixels (1) or the
  /// pixels of a row (2). `counts` are the extents of these axes. If a row has enough pixels to fill tiles, the choice
  /// is 2; otherwise it is the axis whose tiles have the most rows.
  static func axisOfRows(_ counts: SIMD3<Int>) -> Int {
    func height(_ count: Int) -> Double { Double(count) / Double(ceilDivide(count, 12)) }
    guard height(counts.z) < Double(enoughRows) else { return 2 }
    return [2, 1, 0].max { height(counts[$0]) < height(counts[$1]) }!
  }
}
