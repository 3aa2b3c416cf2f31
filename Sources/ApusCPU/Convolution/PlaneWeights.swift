import ApusDevice
import ApusCSIMD
import ApusSystem

/// The weights of a convolution, packed for `plane_multiply`: for each group and block of result channels, a panel that
/// contains, tap by tap, one weight for each channel of the block. A tap is a source channel and a position in the
/// kernel.
struct PlaneWeights {
  struct Block {
    var group: Int
    /// Result channels, counted from the group's first channel.
    var channels: Range<Int>
    /// The number of channels in the panel: the number of `channels`, rounded up to an even number if above 1.
    var width: Int
    /// The element offset of the panel.
    var offset: Int
  }

  let blocks: [Block]
  let count: Int
  private let geometry: PlaneGeometry
  private let value: Int
  private let dtype: DType
  private let load: csimd_load

  init(_ geometry: PlaneGeometry, value: Int, dtype: DType, _ builder: StepBuilder) {
    self.geometry = geometry
    self.value = value
    self.dtype = dtype
    load = csimd_find_load(builder.loops, Int32(dtype.rawValue))
    let limit = builder.loops.pointee.plane_block
    let perGroup = geometry.resultChannels / geometry.groups
    var blocks: [Block] = []
    var offset = 0
    for group in 0..<geometry.groups {
      for start in stride(from: 0, to: perGroup, by: limit) {
        let channels = start..<min(start + limit, perGroup)
        let width = channels.count == 1 ? 1 : roundUp(channels.count, toMultipleOf: 2)
        blocks.append(Block(group: group, channels: channels, width: width, offset: offset))
        offset += width * geometry.tapCount
      }
    }
    self.blocks = blocks
    count = offset
  }

  /// Bytes of the panels and, if the weights are not `float32`, of their `float32` copy.
  var byteCount: Int {
    count * 4 + (dtype == .float32 ? 0 : weightCount * 4) + 64
  }

  private var weightCount: Int { geometry.resultChannels * geometry.tapCount }

  /// Fills the panels.
  func pack(_ context: borrowing RunContext, into panels: UnsafeMutablePointer<Float>) {
    var weights = context.pointer(value, as: Float.self)
    if dtype != .float32 {
      weights = panels + count
      load(weightCount, weights, context.address(value), 1)
    }
    let perTask = max(1, TaskLimits.elementCount / max(1, geometry.tapCount * 8))
    let source = weights
    context.pool.run(ceilDivide(blocks.count, perTask)) { task, _ in
      for index in blockRange(task, size: perTask, count: blocks.count) {
        pack(blocks[index], source, panels + blocks[index].offset)
      }
    }
  }

  private func pack(
    _ block: Block, _ weights: UnsafeMutablePointer<Float>, _ panel: UnsafeMutablePointer<Float>
  ) {
    let kernelSize = geometry.kernel.wrappedProduct
    let sources = geometry.sourceChannels / geometry.groups
    let results = geometry.resultChannels / geometry.groups
    for lane in 0..<block.width {
      let channel = block.channels.lowerBound + lane
      guard channel < block.channels.upperBound else {
        for tap in 0..<geometry.tapCount { panel[tap * block.width + lane] = 0 }
        continue
      }
      for source in 0..<sources {
        let to = panel + source * kernelSize * block.width + lane
        if geometry.isFlipped {
          let from = weights + ((block.group * sources + source) * results + channel) * kernelSize
          for tap in 0..<kernelSize { to[tap * block.width] = from[kernelSize - 1 - tap] }
        } else {
          let from = weights + ((block.group * results + channel) * sources + source) * kernelSize
          for tap in 0..<kernelSize { to[tap * block.width] = from[tap] }
        }
      }
    }
  }
}
