import ApusDevice
import ApusCSIMD

/// The description of a reduction for the C loops of ApusCSIMD: the kernel that computes the elements to reduce, the
/// reducers, and the strides of the kernel's arguments along the outer axes. The kernel runs along the inner axes.
///
/// A reduction by rows computes one result after another: its inner axes are the reduced axes. A reduction by columns
/// adds one line (an element for each result) after another to all results: its inner axes are the kept axes.
final class ReductionTable {
  let kernel: Kernel
  let raw: UnsafeMutablePointer<csimd_reduction>
  /// The estimated cost of one element in the kernel and in the reducers.
  let weight: Int
  let count: Int
  /// The arithmetic types of the results: `int64` for argmin and argmax.
  let resultLanes: [Lane]
  private let lanes: [Lane]

  init(_ step: Reduction, byRows: Bool, _ builder: StepBuilder) throws(DeviceError) {
    let kept = (0..<step.domain.rank).filter { !step.axes.contains($0) }
    let (inner, outer) = byRows ? (step.axes, kept) : (kept, step.axes)
    let arguments = step.arguments.map { $0.selecting(inner) }
    var sum = SumFusion(step, over: byRows ? arguments : nil)
    func lowered(_ prologue: Program) throws(DeviceError) -> Kernel {
      try Kernel(
        prologue, domain: step.domain.selecting(inner), arguments: arguments, results: nil, builder)
    }
    var found = try lowered(sum?.prologue ?? step.prologue)
    if !byRows, sum != nil, !found.givesLines(found.outerLayouts(step.arguments, of: step.domain, axes: outer)) {
      sum = nil
      found = try lowered(step.prologue)
    }
    kernel = found
    lanes = step.prologue.outputs.map { step.prologue.lane(of: $0.register) }
    count = lanes.count
    let joined = sum == nil ? 0 : step.prologue.instructions.reduce(0) { $0 + $1.weight }
    weight = kernel.weight + joined + 2 * count
    var reducers: [UnsafePointer<csimd_reducer>?] = []
    for (name, lane) in zip(sum?.reducers.map(\.rawValue) ?? step.reducers.map(\.name), lanes) {
      reducers.append(try builder.reducer(name, lane))
    }
    resultLanes = zip(reducers, lanes).map { $0!.pointee.is_index != 0 ? .int64 : $1 }
    let outputs =
      switch sum?.reducers.count {
      case nil: CSIMD_OUTPUTS_SEPARATE
      case 2: CSIMD_OUTPUTS_DEVIATIONS
      default: CSIMD_OUTPUTS_SHARE_OPERANDS
      }
    raw = .allocate(capacity: 1)
    raw.initialize(
      to: csimd_reduction(
        kernel: kernel.raw, reducer_count: Int32(count), outputs: Int32(outputs), reducers: Self.copy(reducers),
        number_bytes: Self.copy(lanes.map { Int32($0.byteCount) }),
        result_bytes: Self.copy(resultLanes.map { Int32($0.byteCount) }),
        outer: Self.copy(kernel.outerLayouts(step.arguments, of: step.domain, axes: outer))))
  }

  deinit {
    UnsafeMutablePointer(mutating: raw.pointee.reducers!).deallocate()
    UnsafeMutablePointer(mutating: raw.pointee.number_bytes!).deallocate()
    UnsafeMutablePointer(mutating: raw.pointee.result_bytes!).deallocate()
    UnsafeMutablePointer(mutating: raw.pointee.outer!).deallocate()
    raw.deallocate()
  }

  /// The first of the reducers.
  var reducer: csimd_reducer { raw.pointee.reducers[0]!.pointee }

  /// Bytes of the accumulators of one result.
  var stateByteCount: Int { count * Int(CSIMD_STATE_BYTES) }

  /// Bytes of the accumulators of one part of a reduction by columns. A part is a range of the reduced elements.
  func columnByteCount(_ shape: ReductionShape) -> Int { count * 8 * shape.columnArrayCount * shape.keptCount }

  private static func copy<T>(_ array: [T]) -> UnsafePointer<T> {
    let result = UnsafeMutablePointer<T>.allocate(capacity: max(1, array.count))
    result.initialize(from: array, count: array.count)
    return UnsafePointer(result)
  }
}

extension Kernel {
  /// Whether the kernel has two outputs, of which the first is an array of contiguous lines and the second is the same
  /// for all lines. A line consists of the elements at one position of the reduced axes.
  fileprivate func givesLines(_ outer: [csimd_layout]) -> Bool {
    let outputs = UnsafeBufferPointer(start: raw.pointee.outputs, count: Int(raw.pointee.output_count))
    guard outputs.count == 2, outputs.allSatisfy({ $0.reg < raw.pointee.argument_count }) else { return false }
    let (numbers, others) = (Int(outputs[0].reg), Int(outputs[1].reg))
    func isContiguousTensor(_ argument: csimd_argument) -> Bool {
      argument.kind == Int32(CSIMD_TENSOR) && argument.in_place != 0 && argument.layout.isContiguous
    }
    let argument = raw.pointee.arguments[others]
    let isFixed = argument.kind == Int32(CSIMD_CONSTANT) || isContiguousTensor(argument) && outer[others].isRepeated
    return isContiguousTensor(raw.pointee.arguments[numbers]) && outer[numbers].rank == 1 && isFixed
  }

  /// For each argument of the kernel, its layout along the outer axes. The strides of an argument without a layout are
  /// 0.
  func outerLayouts(_ inputs: [Argument], of domain: Shape, axes: [Int]) -> [csimd_layout] {
    let fixed = Layout(shape: domain.selecting(axes), strides: Shape(repeating: 0, count: axes.count))
    return (0..<Int(raw.pointee.argument_count)).map { (index: Int) -> csimd_layout in
      // The arguments after the inputs are constants, which have no layout.
      guard index < inputs.count, var layout = inputs[index].layout?.selecting(axes) else { return fixed.raw }
      layout.offset = 0
      return layout.raw
    }
  }
}

extension Argument {
  /// The argument over some axes of its domain, in the order of `axes`.
  func selecting(_ axes: [Int]) -> Argument {
    laidOut { $0.selecting(axes) }
  }
}

extension Shape {
  func selecting(_ axes: [Int]) -> Shape { Shape(axes.map { self[$0] }) }
}

extension Layout {
  /// The layout over some axes, at index 0 of all other axes.
  func selecting(_ axes: [Int]) -> Layout {
    Layout(shape: shape.selecting(axes), strides: strides.selecting(axes), offset: offset)
  }
}
