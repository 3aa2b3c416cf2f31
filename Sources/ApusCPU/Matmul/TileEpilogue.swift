import ApusDevice
import ApusCSIMD
import ApusSystem

/// The epilogue of a product's tiles: a tile is computed in the memory of the result or in a scratch buffer, and then
/// the epilogue runs on the tile.
struct TileEpilogue {
  /// The memory in which a tile is computed.
  struct Target {
    var pointer: UnsafeMutableRawPointer
    /// The row stride.
    var leading: Int
  }

  private let epilogue: EpilogueKernel
  /// The number of elements of a row of the whole product.
  private let width: Int
  private let size: Int
  private let tileByteCount: Int

  /// - Parameter elements: the number of elements of the largest tile.
  init(
    _ epilogue: Epilogue, _ lane: Lane, width: Int, elements: Int, _ builder: StepBuilder
  ) throws(DeviceError) {
    self.epilogue = try EpilogueKernel(epilogue, lanes: [lane], builder)
    (self.width, size) = (width, lane.byteCount)
    tileByteCount = self.epilogue.hasTarget ? 0 : roundUp(elements * size, toMultipleOf: 64)
  }

  /// Whether tiles are stored without an epilogue.
  var isPlain: Bool { epilogue.kernel == nil }
  var workspaceByteCount: Int { tileByteCount + epilogue.workspaceByteCount }

  func tiles(_ frame: RunFrame) -> Tiles { Tiles(epilogue: self, frame: frame, results: epilogue.target(frame)) }

  /// The tiles of one run.
  struct Tiles {
    fileprivate let epilogue: TileEpilogue
    fileprivate let frame: RunFrame
    fileprivate let results: UnsafeMutableRawPointer?

    /// Whether tiles are computed in the memory of the result.
    var isInPlace: Bool { results != nil }

    /// - Parameters:
    ///   - first: the index of the tile's first element in the whole product.
    ///   - scratch: `workspaceByteCount` bytes of scratch memory.
    func target(_ first: Int, columns: Int, scratch: UnsafeMutableRawPointer) -> Target {
      guard let results else { return Target(pointer: scratch, leading: columns) }
      return Target(pointer: results + first * epilogue.size, leading: epilogue.width)
    }

    /// Runs the epilogue on a tile: in one call if the tile has whole rows, otherwise short rows together and long rows
    /// one by one.
    func finish(_ first: Int, rows: Int, columns: Int, _ target: Target, scratch: UnsafeMutableRawPointer) {
      let kernel = epilogue.epilogue
      guard let program = kernel.kernel else { return }
      let workspace = scratch + epilogue.tileByteCount
      if columns == epilogue.width {
        kernel.run(first..<(first + rows * columns), core: target.pointer, frame, workspace: workspace)
        return
      }
      if program.takesTiles(columns: columns) {
        let tile = csimd_tile(
          start: Int64(first), rows: Int64(rows), columns: Int64(columns), width: Int64(epilogue.width),
          leading: Int64(target.leading), is_regular: 0)
        program.run(tile, frame, workspace: workspace, core: target.pointer)
        return
      }
      for row in 0..<rows {
        let start = first + row * epilogue.width
        kernel.run(
          start..<(start + columns), core: target.pointer + row * target.leading * epilogue.size, frame,
          workspace: workspace)
      }
    }
  }
}
