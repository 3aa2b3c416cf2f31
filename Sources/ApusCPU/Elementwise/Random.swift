import ApusDevice
import CSIMD

/// Words of a Philox4x32-10 stream.
final class RandomStep: CPUStep {
  private let step: RandomBits
  private let philox: @convention(c) (Int, UnsafeMutablePointer<UInt32>?, UInt64, UInt64, UInt64) -> Void
  private static let grain = TaskLimits.elementCount

  init(_ step: RandomBits, _ builder: StepBuilder) {
    self.step = step
    philox = builder.loops.pointee.philox
  }

  func run(_ context: borrowing RunContext) {
    let result = context.pointer(step.result, as: UInt32.self)
    let seed = context.integer(step.seed)
    let counter = context.integer(step.counter)
    let count = step.count
    context.pool.run((count + Self.grain - 1) / Self.grain) { index, _ in
      let start = index * Self.grain
      philox(
        min(Self.grain, count - start), result + start, UInt64(start), UInt64(bitPattern: seed),
        UInt64(bitPattern: counter))
    }
  }
}

extension RunContext {
  /// An entry of the scalar bank of lane `int64`.
  func integer(_ scalar: Int) -> Int64 { frame.integer(scalar) }
}

extension RunFrame {
  /// An entry of the scalar bank of lane `int64`.
  func integer(_ scalar: Int) -> Int64 {
    (scalars + scalar * Int(CSIMD_SPLAT_BYTES)).load(as: Int64.self)
  }
}
