import ApusDevice
import ApusSystem
import Glibc
import Synchronization

/// A copy between device memory and a host block.
protocol HostCopy: Sendable {
  var isComplete: Bool { get }
  /// Waits for the copy and throws its error.
  func wait() throws(DeviceError)
}

/// A block of host memory that serves one copy at a time.
struct HostBlock: @unchecked Sendable {
  let bytes: UnsafeMutableRawPointer
  let capacity: Int
  /// Frees the memory.
  let free: @Sendable () -> Void

  /// Memory of the heap; `nil` if the host is out of memory.
  static func heap(_ capacity: Int) -> HostBlock? {
    var bytes: UnsafeMutableRawPointer?
    guard posix_memalign(&bytes, 4096, capacity) == 0, let bytes else { return nil }
    nonisolated(unsafe) let memory = bytes
    return HostBlock(bytes: bytes, capacity: capacity) { Glibc.free(memory) }
  }
}

/// Host memory of a driver for copies in both directions. A driver allocates page-locked blocks if possible, so that a
/// GPU can access them directly. Such an allocation waits for the device, so blocks are reused.
final class HostBlocks<Copy: HostCopy>: Sendable {
  /// The maximum size in bytes of an upload that is first copied to a block. For a larger upload, a driver's `copyIn`
  /// waits until the device has read the caller's memory.
  static var largestUpload: Int { 64 << 20 }

  /// The maximum number of unused blocks that are kept, and the maximum number of bytes in them.
  private let keptCount = 16
  private let keptByteCount = 256 << 20

  /// Allocates page-locked memory; `nil` if the driver cannot allocate it.
  private let allocate: @Sendable (_ capacity: Int) -> HostBlock?
  private let state = Mutex(State())

  private struct State {
    var free: [HostBlock] = []
    /// Blocks that pending uploads read, in the order of the uploads.
    var uploads: [(block: HostBlock, copy: Copy)] = []
  }

  init(allocate: @escaping @Sendable (_ capacity: Int) -> HostBlock?) { self.allocate = allocate }

  /// Copies `source` to a block, then calls `start`. `start` starts the copy from the block to the device. It returns
  /// this copy, or `nil` if the copy is already complete. The block is not used again before the copy is complete.
  func upload(
    _ source: UnsafeRawBufferPointer, _ start: (_ bytes: UnsafeRawPointer) throws(DeviceError) -> Copy?
  ) throws(DeviceError) {
    let block = try take(source.count)
    block.bytes.copyMemory(from: source.baseAddress!, byteCount: source.count)
    do throws(DeviceError) {
      give(block, after: try start(block.bytes))
    } catch {
      give(block)
      throw error
    }
  }

  /// Starts a copy from the device to a block with `start`.
  /// - Parameter driver: the owner of these blocks, which the returned transfer retains.
  func download(
    _ byteCount: Int, _ driver: any GPUDriver,
    _ start: (_ bytes: UnsafeMutableRawPointer) throws(DeviceError) -> Copy?
  ) throws(DeviceError) -> HostTransfer<Copy> {
    let block = try take(byteCount)
    do throws(DeviceError) {
      let copy = byteCount > 0 ? try start(block.bytes) : nil
      return HostTransfer(driver, self, block, byteCount: byteCount, copy)
    } catch {
      give(block)
      throw error
    }
  }

  /// Returns a block of at least `byteCount` bytes that no pending copy uses.
  private func take(_ byteCount: Int) throws(DeviceError) -> HostBlock {
    let block = state.withLock { state -> HostBlock? in
      reclaim(&state)
      let free = state.free
      let fits = free.indices.filter { free[$0].capacity >= byteCount && free[$0].capacity <= 4 * byteCount + 4096 }
      if let best = fits.min(by: { free[$0].capacity < free[$1].capacity }) { return state.free.remove(at: best) }
      let capacity = roundUp(max(byteCount, 1), toMultipleOf: 4096)
      return allocate(capacity) ?? .heap(capacity)
    }
    if let block { return block }
    throw .outOfMemory(device: "host", requested: byteCount, used: 0, available: HostMemory.byteCount)
  }

  /// Makes a block available again: after `copy`, or immediately if `copy` is `nil`.
  fileprivate func give(_ block: HostBlock, after copy: Copy? = nil) {
    state.withLock { state in
      if let copy { state.uploads.append((block, copy)) } else { keep(block, &state) }
    }
  }

  /// Frees all blocks. No copy may be pending.
  func freeAll() {
    state.withLock { state in
      for block in state.uploads.map(\.block) + state.free { block.free() }
      state = State()
    }
  }

  private func keep(_ block: HostBlock, _ state: inout State) {
    state.free.append(block)
    while state.free.count > keptCount || state.free.reduce(0, { $0 + $1.capacity }) > keptByteCount {
      state.free.removeFirst().free()
    }
  }

  /// Makes the blocks of completed uploads available again. Uploads complete in order, so the search stops at the first
  /// pending one.
  private func reclaim(_ state: inout State) {
    let done = state.uploads.prefix { $0.copy.isComplete }
    for (block, _) in done { keep(block, &state) }
    state.uploads.removeFirst(done.count)
  }
}

/// A copy from the device to a host block.
final class HostTransfer<Copy: HostCopy>: GPUTransfer {
  /// Keeps the driver alive, which frees `blocks` when it is freed itself.
  private let driver: any GPUDriver
  private let blocks: HostBlocks<Copy>
  private let block: HostBlock
  private let byteCount: Int
  /// `nil` once the copy has succeeded.
  private let copy: Mutex<Copy?>

  fileprivate init(
    _ driver: any GPUDriver, _ blocks: HostBlocks<Copy>, _ block: HostBlock, byteCount: Int, _ copy: Copy?
  ) {
    (self.driver, self.blocks, self.block, self.byteCount) = (driver, blocks, block, byteCount)
    self.copy = Mutex(copy)
  }

  deinit {
    _ = try? wait()
    blocks.give(block)
  }

  func wait() throws(DeviceError) -> UnsafeRawBufferPointer {
    try copy.withLock { copy throws(DeviceError) in
      try copy?.wait()
      copy = nil
    }
    return UnsafeRawBufferPointer(start: block.bytes, count: byteCount)
  }
}
