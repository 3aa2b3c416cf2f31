import ApusDevice
import ApusSystem

/// How a Winograd convolution is split into tasks, and which transforms the tasks share. Both depend only on the shape.
struct WinogradSchedule {
  struct Task {
    var tiles: Range<Int>
    var channels: Range<Int>
  }

  /// The tiles of a task in one image: whole rows of tiles.
  struct Part {
    var image: Int
    /// The rows of result pixels that the tiles cover.
    var rows: Range<Int>
    var tiles: Range<Int>
  }

  /// Whether tasks are blocks of tiles and share the transformed weights; otherwise tasks are blocks of channels and
  /// share the transformed tiles.
  let sharesWeights: Bool
  private let geometry: WinogradGeometry
  /// Tiles per task.
  private let tileGrain: Int
  /// Result channels per task.
  private let channelGrain: Int

  /// Tiles per task, for the tasks that only transform patches. A patch is the source pixels that a tile reads.
  static let patchGrain = 16
  /// The number of elements up to which the transforms of a task stay in a core's caches.
  private static let nearNumbers = 600_000
  private static let leastTiles = 24
  private static let mostTiles = 96

  init(_ geometry: WinogradGeometry, panelWidth: Int) {
    self.geometry = geometry
    let (inputs, outputs) = (geometry.source.channels, geometry.results.channels)
    sharesWeights = 2 * geometry.tileCount > outputs
    if sharesWeights {
      let near = Self.nearNumbers / (WinogradGeometry.positions * (inputs + outputs))
      let wanted = min(Self.mostTiles, max(Self.leastTiles, near))
      let perImage = geometry.tilesPerImage
      let line = geometry.tilesOfImage.across
      // A task has whole images, or whole rows of tiles of one image.
      tileGrain =
        wanted >= perImage ? wanted / perImage * perImage : max(line, wanted / line * line)
      channelGrain = outputs
    } else {
      tileGrain = geometry.tileCount
      channelGrain = panelWidth
    }
  }

  /// Blocks of tiles per image. A block that covers several images covers whole images.
  private var blocksPerImage: Int { max(1, ceilDivide(geometry.tilesPerImage, tileGrain)) }
  private var imagesPerBlock: Int { max(1, tileGrain / geometry.tilesPerImage) }
  private var tileBlocks: Int {
    ceilDivide(geometry.images, imagesPerBlock) * blocksPerImage
  }
  private var channelBlocks: Int { ceilDivide(geometry.results.channels, channelGrain) }
  var taskCount: Int { tileBlocks * channelBlocks }

  func task(_ index: Int) -> Task {
    let (block, channel) = index.quotientAndRemainder(dividingBy: channelBlocks)
    let channels = blockRange(channel, size: channelGrain, count: geometry.results.channels)
    let (group, part) = block.quotientAndRemainder(dividingBy: blocksPerImage)
    let images = blockRange(group, size: imagesPerBlock, count: geometry.images)
    let start = images.lowerBound * geometry.tilesPerImage + part * tileGrain
    let limit = images.upperBound * geometry.tilesPerImage
    return Task(tiles: start..<min(start + tileGrain, limit), channels: channels)
  }

  /// Splits a range of tiles by image.
  func images(of tiles: Range<Int>) -> [Part] {
    let (perImage, line) = (geometry.tilesPerImage, geometry.tilesOfImage.across)
    return (tiles.lowerBound / perImage...(tiles.upperBound - 1) / perImage).map { image in
      let own = tiles.clamped(to: (image * perImage)..<((image + 1) * perImage))
      let lines = (own.lowerBound - image * perImage) / line..<(own.upperBound - image * perImage) / line
      return Part(
        image: image, rows: (lines.lowerBound * 4)..<min(lines.upperBound * 4, geometry.results.height), tiles: own)
    }
  }

  /// Result elements of the largest part of a task.
  var largestTask: Int {
    min(tileGrain, geometry.tilesPerImage) / geometry.tilesOfImage.across * 4 * geometry.results.width * channelGrain
  }

  // Strides, in elements: of tiles (pitch), and of the 36 positions of a transformed tile (distance).
  var sourcePitch: Int { WinogradGeometry.pitch(geometry.source.channels) }
  var productPitch: Int { WinogradGeometry.pitch(channelGrain) }
  var patchDistance: Int { (sharesWeights ? tileGrain : geometry.tileCount) * sourcePitch }
  var productDistance: Int { tileGrain * productPitch }
  var weightDistance: Int {
    geometry.source.channels * (sharesWeights ? geometry.results.channels : channelGrain)
  }

  // Numbers of elements. `patchCount` and `weightCount` count the transforms of all tasks if the tasks share them,
  // otherwise the transforms of one task. The products begin at `productsOffset` in a task's own memory.
  private var patchCount: Int { WinogradGeometry.positions * patchDistance }
  private var weightCount: Int { WinogradGeometry.positions * weightDistance }
  var sharedCount: Int { sharesWeights ? weightCount : patchCount }
  var productsOffset: Int { sharesWeights ? patchCount : weightCount }
  var ownCount: Int { productsOffset + WinogradGeometry.positions * productDistance }
}
