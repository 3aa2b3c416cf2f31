import ApusDevice
import CSIMD
import Glibc

/// A plan as a list of resolved steps.
final class CPUExecutable: Executable, @unchecked Sendable {
  let plan: Plan
  /// Bytes that each worker, and all together, need for the steps' temporary values.
  let workspaceByteCounts: [Int]
  let sharedByteCount: Int
  private let steps: [(step: any CPUStep, planned: Range<Int>)]
  /// The address of each value, and the scalars repeated over 16 lanes: set at the start of a run.
  private let frame: RunFrame
  /// What the steps do; made for the first log.
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
    for (index, value) in plan.values.enumerated() {
      frame.values[index] =
        switch value.storage {
        case .input(let number): address(of: inputs[number])
        case .output(let number): address(of: outputs[number])
        case .scratch(let slab, let byteOffset): slabs[slab].pointer + byteOffset
        }
    }
    for (index, lane) in plan.scalars.enumerated() {
      csimd_splat(
        frame.scalars + index * Int(CSIMD_SPLAT_BYTES), Int32(lane.rawValue), scalars[index].double,
        scalars[index].integer)
    }
    let context = RunContext(frame: frame, pool: pool, workspaces: workspaces)
    if log.isWanted { return run(context, &log) }
    for (step, _) in steps {
      do { try step.run(context) } catch { return error }
    }
    return nil
  }

  private func run(_ context: borrowing RunContext, _ log: inout StepLog) -> DeviceError? {
    for (cost, (step, _)) in zip(costs, steps) {
      let start = ContinuousClock.seconds
      do { try step.run(context) } catch { return error }
      log.note(cost, start: start, duration: ContinuousClock.seconds - start)
    }
    return nil
  }
}

/// One resolved step.
protocol CPUStep: AnyObject {
  /// Bytes of temporary memory that each worker needs.
  var workspaceByteCount: Int { get }
  /// How many tasks use such memory, at most: no more workers need it.
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

/// Addresses that last for one run.
final class RunFrame {
  let values: UnsafeMutablePointer<UnsafeMutableRawPointer?>
  /// The scalar bank: its own, or in the body of a loop that of the whole plan.
  var scalars: UnsafeMutableRawPointer
  private let ownScalars: UnsafeMutableRawPointer
  /// Memory that is read after a step, which the step prefetches; `nil` where that is not known.
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

  /// An entry of the scalar bank of lane `int64`.
  func integer(_ scalar: Int) -> Int64 {
    (scalars + scalar * Int(CSIMD_SPLAT_BYTES)).load(as: Int64.self)
  }
}

/// What a step runs with.
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

/// Temporary memory: a piece for each worker, and one for all.
final class Workspaces {
  private struct Piece {
    var memory: UnsafeMutableRawPointer?
    var byteCount = 0

    /// Makes the piece at least this large; `false` where memory is lacking.
    mutating func enlarge(to size: Int) -> Bool {
      guard size > byteCount || memory == nil else { return true }
      guard let larger = aligned_alloc(4096, (size + 8191) & ~4095) else { return false }
      free(memory)
      (memory, byteCount) = (larger, size)
      return true
    }
  }

  /// One for each worker and, at the end, the shared one. A raw pointer avoids an exclusivity check in each task.
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

  /// Makes the pieces at least this large; `false` where memory is lacking, which leaves those that older plans need.
  /// Nothing may be running.
  func reserve(_ byteCounts: [Int], shared: Int) -> Bool {
    precondition(byteCounts.count == workerCount, "one size for each worker")
    return (byteCounts + [shared]).enumerated().allSatisfy { index, byteCount in pieces[index].enlarge(to: byteCount) }
  }
}
