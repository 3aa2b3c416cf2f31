import ApusDevice
import ApusSystem
import ApusCSIMD
import Glibc

/// A plan whose steps are prepared: their functions, sizes and tasks are chosen.
final class CPUExecutable: Executable, @unchecked Sendable {
  let plan: Plan
  /// Bytes of temporary memory that each worker needs for the steps.
  let workspaceByteCounts: [Int]
  /// Bytes of temporary memory that all workers share.
  let sharedByteCount: Int
  private let steps: [(step: any CPUStep, planned: Range<Int>)]
  /// The address of each value, and the scalars broadcast to 16 lanes; both are set at the start of a run.
  private let frame: RunFrame
  /// The costs of the steps, which are computed when steps are logged for the first time.
  private lazy var costs = steps.map { entry in StepCost(joining: entry.planned.map { plan.cost(of: plan.steps[$0]) }) }

  init(
    _ plan: Plan, loops: UnsafePointer<csimd_table>, threadCount: Int, pairs: UnsafePointer<csimd_pairs>?,
    caches: Caches = .host
  ) throws(DeviceError) {
    self.plan = plan
    let builder = StepBuilder(plan: plan, loops: loops, threadCount: threadCount, pairs: pairs, caches: caches)
    var steps: [any CPUStep] = []
    for planned in plan.steps { steps.append(try builder.build(planned)) }
    steps.joinColumnSums(plan)
    let joined = RowBlockSearch(builder).joined(steps)
    self.steps = joined
    workspaceByteCounts = (0..<threadCount).map { worker in
      joined.reduce(0) { worker < $1.step.taskCount ? max($0, $1.step.workspaceByteCount) : $0 }
    }
    sharedByteCount = joined.map(\.step.sharedByteCount).max() ?? 0
    frame = RunFrame(valueCount: plan.values.count, scalarCount: plan.scalars.count)
  }

  /// Runs the steps in order. Calls do not overlap.
  func run(
    inputs: [Buffer], outputs: [Buffer], slabs: [CPUBuffer], scalars: [Scalar], pool: ThreadPool,
    workspaces: Workspaces, log: inout StepLog
  ) -> DeviceError? {
    do throws(DeviceError) {
      for (index, value) in plan.values.enumerated() {
        frame.values[index] =
          switch value.storage {
          case .input(let number): try address(of: inputs[number])
          case .output(let number): try address(of: outputs[number])
          case .scratch(let slab, let byteOffset): slabs[slab].pointer + byteOffset
          }
      }
    } catch {
      return error
    }
    for (index, lane) in plan.scalars.enumerated() {
      csimd_splat(
        frame.scalars + index * Int(CSIMD_SPLAT_BYTES), Int32(lane.rawValue), scalars[index].double,
        scalars[index].integer)
    }
    let context = RunContext(frame: frame, pool: pool, workspaces: workspaces)
    if log.isWanted { return runLogged(context, &log) }
    for (step, _) in steps {
      do { try step.run(context) } catch { return error }
    }
    return nil
  }

  private func runLogged(_ context: borrowing RunContext, _ log: inout StepLog) -> DeviceError? {
    for (cost, (step, _)) in zip(costs, steps) {
      let start = ContinuousClock.seconds
      do { try step.run(context) } catch { return error }
      log.note(cost, start: start, duration: ContinuousClock.seconds - start)
    }
    return nil
  }
}

/// A prepared step of a plan.
protocol CPUStep: AnyObject {
  /// Bytes of temporary memory that each worker needs.
  var workspaceByteCount: Int { get }
  /// The maximum number of tasks that need a worker's temporary memory. A worker whose index is `taskCount` or more
  /// runs none of these tasks and needs no memory.
  var taskCount: Int { get }
  /// Bytes of temporary memory that the workers share.
  var sharedByteCount: Int { get }
  func run(_ context: borrowing RunContext) throws(DeviceError)
}

extension CPUStep {
  var workspaceByteCount: Int { 0 }
  var taskCount: Int { .max }
  var sharedByteCount: Int { 0 }
}

/// Addresses that are valid for one run.
final class RunFrame {
  let values: UnsafeMutablePointer<UnsafeMutableRawPointer?>
  /// The scalar bank (the numbers that are passed to a run). It is this frame's own bank or, in a loop body or a block
  /// of rows (`RowBlockStep`), the bank of the whole plan.
  var scalars: UnsafeMutableRawPointer
  private let ownScalars: UnsafeMutableRawPointer
  /// Memory that is read after the current step, and that the step prefetches; `nil` if this memory is not known.
  var ahead: UnsafeMutablePointer<csimd_prefetch_range>?

  init(valueCount: Int, scalarCount: Int) {
    values = .allocate(capacity: max(1, valueCount))
    values.initialize(repeating: nil, count: max(1, valueCount))
    ownScalars = .allocate(byteCount: max(1, scalarCount) * Int(CSIMD_SPLAT_BYTES), alignment: 64)
    scalars = ownScalars
  }

  deinit {
    values.deallocate()
    ownScalars.deallocate()
  }

  /// The value of an `int64` scalar of the bank.
  func integer(_ scalar: Int) -> Int64 {
    (scalars + scalar * Int(CSIMD_SPLAT_BYTES)).load(as: Int64.self)
  }
}

/// The addresses, threads and temporary memory that a step runs with.
struct RunContext: ~Copyable {
  let frame: RunFrame
  let pool: ThreadPool
  let workspaces: Workspaces

  /// Temporary memory that the workers share.
  var shared: UnsafeMutableRawPointer { workspaces.shared }

  func address(_ value: Int) -> UnsafeMutableRawPointer { frame.values[value]! }

  func pointer<T>(_ value: Int, as type: T.Type) -> UnsafeMutablePointer<T> {
    frame.values[value]!.assumingMemoryBound(to: type)
  }
}

/// Temporary memory: one block for each worker, and one shared block.
final class Workspaces {
  private struct Piece {
    var memory: UnsafeMutableRawPointer?
    var byteCount = 0

    /// Enlarges the block to at least this size; `false` if out of memory.
    mutating func enlarge(to size: Int) -> Bool {
      guard size > byteCount || memory == nil else { return true }
      guard let larger = aligned_alloc(4096, roundUp(size + 4096, toMultipleOf: 4096)) else { return false }
      free(memory)
      (memory, byteCount) = (larger, size)
      return true
    }
  }

  /// One block for each worker, then the shared block. A raw pointer avoids an exclusivity check in each task.
  private let pieces: UnsafeMutablePointer<Piece>
  private let workerCount: Int

  init(count: Int) {
    workerCount = count
    pieces = .allocate(capacity: count + 1)
    pieces.initialize(repeating: Piece(), count: count + 1)
  }

  deinit {
    for index in 0...workerCount { free(pieces[index].memory) }
    pieces.deallocate()
  }

  subscript(worker: Int) -> UnsafeMutableRawPointer { pieces[worker].memory! }
  var shared: UnsafeMutableRawPointer { pieces[workerCount].memory! }

  /// Enlarges the blocks to at least these sizes. Returns `false` if the system is out of memory; the blocks then stay
  /// large enough for the plans that were prepared before. No step may be running.
  func reserve(_ byteCounts: [Int], shared: Int) -> Bool {
    precondition(byteCounts.count == workerCount, "the number of sizes differs from the number of workers")
    return (byteCounts + [shared]).enumerated().allSatisfy { index, byteCount in pieces[index].enlarge(to: byteCount) }
  }
}
