import ApusDevice
import ApusCSIMD

/// Builds the `CPUStep` of each step of one plan.
struct StepBuilder {
  let plan: Plan
  let loops: UnsafePointer<csimd_table>
  /// The number of threads that run a step. This number may affect how work is split into tasks, but not the results.
  let threadCount: Int
  /// The kernels that multiply bfloat16 values in pairs; `nil` if the device does not use them.
  var pairs: UnsafePointer<csimd_pairs>?
  var caches = Caches.host

  func build(_ planned: Plan.PlannedStep) throws(DeviceError) -> any CPUStep {
    switch planned.step {
    case .elementwise(let step): try ElementwiseStep(step, self)
    case .reduction(let step): try ReductionStep(step, self)
    case .matmul(let step): try matmul(step)
    case .copy(let step): try CopyStep(step, self)
    case .gather(let step): GatherStep(step, self, names: planned.names)
    case .rowWrite(let step): RowWriteStep(step, self)
    case .scatterAdd(let step): try ScatterAddStep(step, self, names: planned.names)
    case .scan(let step): try ScanStep(step, self)
    case .sort(let step): SortStep(step, self)
    case .loop(let step): try LoopStep(step, self)
    case .custom(let step): try CustomStep(step, self)
    case .pooling(let step): try PoolingStep(step, self)
    case .convolution(let step): try convolution(step)
    case .attention(let step): try attention(step)
    case .recurrent(let step): try recurrent(step)
    }
  }

  private func attention(_ step: Attention) throws(DeviceError) -> any CPUStep {
    guard step.factorDtype == step.dtype else {
      throw .unsupported(device: "cpu", feature: "attention with factors of type \(step.factorDtype)")
    }
    guard let forward = step.forward, let gradient = step.gradient else { return AttentionStep(step, self) }
    return AttentionGradientStep(step, forward: forward, gradient: gradient, self)
  }

  private func recurrent(_ step: Recurrent) throws(DeviceError) -> any CPUStep {
    step.pass == .forward ? RecurrentStep(step, self) : try RecurrentGradientStep(step, self)
  }

  /// The matrix product kernels whose instructions multiply elements in pairs (AVX512-BF16, AMX), for operands of type
  /// `dtype`; `nil` if there are none, or if the device does not use them.
  func pairs(of dtype: DType) -> UnsafePointer<csimd_pairs>? { dtype == .bfloat16 ? pairs : nil }

  /// The C loop of an elementwise operation, which is a row of `Kernels/elementwise.def`.
  func row(_ row: ElementwiseRow, _ lane: Lane) throws(DeviceError) -> csimd_loop { try loop(row.name, lane) }

  /// The C loop of an operation by the operation's name in ApusCSIMD.
  func loop(_ name: String, _ lane: Lane) throws(DeviceError) -> csimd_loop {
    guard let loop = csimd_find(loops, name, Int32(lane.rawValue)) else {
      throw .buildFailed(device: "cpu", kernel: name, log: "the CPU has no loop for the operation \(name) on \(lane)")
    }
    return loop
  }

  func reducer(_ name: String, _ lane: Lane) throws(DeviceError) -> UnsafePointer<csimd_reducer> {
    guard let reducer = csimd_find_reducer(loops, name, Int32(lane.rawValue)) else {
      throw .buildFailed(device: "cpu", kernel: name, log: "the CPU has no loop for the reduction \(name) on \(lane)")
    }
    return reducer
  }

  /// Whether two values may share memory.
  func mayAlias(_ left: Int, _ right: Int) -> Bool {
    if left == right { return true }
    let (a, b) = (plan.values[left], plan.values[right])
    switch (a.storage, b.storage) {
    case (.input(let x), .input(let y)), (.output(let x), .output(let y)): return x == y
    case (.input(let x), .output(let y)), (.output(let y), .input(let x)):
      return plan.outputs[y].donatedInput == x
    case (.scratch(let slabA, let startA), .scratch(let slabB, let startB)):
      return slabA == slabB && startA < startB + b.byteCount && startB < startA + a.byteCount
    default: return false
    }
  }
}

extension Lane {
  var byteCount: Int { dtype.byteCount }
}

extension DType {
  /// Whether arithmetic uses the type in which elements are stored. If so, a fused program can read and write arrays
  /// directly, without converting elements.
  var isLane: Bool { lane.dtype == self }
}

extension Layout {
  /// The layout as a `csimd_layout`. Two adjacent axes are merged if one stride describes both.
  var raw: csimd_layout {
    let (extents, strides) = Layout.mergedAxes(0..<shape.rank, of: shape, [self])
    var result = csimd_layout()
    result.offset = Int64(offset)
    // If one element is repeated over the whole shape, the result has no axes.
    if strides[0] == [0] { return result }
    result.rank = Int32(extents.count)
    withUnsafeMutableBytes(of: &result.extents) { target in
      for (axis, extent) in extents.enumerated() { target.assumingMemoryBound(to: Int64.self)[axis] = Int64(extent) }
    }
    withUnsafeMutableBytes(of: &result.strides) { target in
      for (axis, stride) in strides[0].enumerated() { target.assumingMemoryBound(to: Int64.self)[axis] = Int64(stride) }
    }
    return result
  }
}

extension csimd_layout {
  /// Whether element `i` is at position `offset + i` of the value.
  var isContiguous: Bool { rank == 1 && strides.0 == 1 }
  /// Whether all indices refer to one element.
  var isRepeated: Bool { rank == 0 }
}
