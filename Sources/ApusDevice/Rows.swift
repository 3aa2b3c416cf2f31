public import Kernels

// The rows of the `.def` files of `Kernels/`, which the C loops, the GPU kernels and these enumerations share.

/// A row of `Kernels/elementwise.def`: an elementwise function.
public typealias ElementwiseRow = Kernels.ElementwiseRow
/// A row of `Kernels/reduce.def`: a reduction.
public typealias ReductionRow = Kernels.ReductionRow

extension ElementwiseRow: @retroactive CaseIterable, @retroactive CustomStringConvertible {
  /// All rows, in the order of `Kernels/elementwise.def`.
  public static var allCases: [ElementwiseRow] {
    rows(ElementwiseRow.init(rawValue:), named: apus_elementwise_name)
  }

  /// The name of the row, such as `floorDivide`.
  public var name: String { String(cString: apus_elementwise_name(Int32(rawValue))!) }
  public var description: String { name }

  /// The estimated time for a `float32` or integer element on CPUs, where a load or store of an element takes 1.
  package var cost: Int { Int(apus_elementwise_cost(self)) }
  /// Whether the row costs no more than a load and a store.
  package var isCheap: Bool { cost <= 2 }
  /// The number of operands: 1 or 2.
  package var operandCount: Int { Int(apus_elementwise_operands(self)) }
}

extension ReductionRow: @retroactive CaseIterable, @retroactive CustomStringConvertible {
  /// All rows, in the order of `Kernels/reduce.def`.
  public static var allCases: [ReductionRow] {
    rows(ReductionRow.init(rawValue:), named: apus_reduction_name)
  }

  /// The name of the row, such as `argmax`.
  public var name: String { String(cString: apus_reduction_name(Int32(rawValue))!) }
  public var description: String { name }

  /// Whether the result is the index of an element: `argmin` and `argmax`.
  public var isIndex: Bool { self == .argmin || self == .argmax }
}

/// All rows of a table. Their raw values count from 0.
private func rows<Row>(_ row: (UInt32) -> Row?, named name: (Int32) -> UnsafePointer<CChar>?) -> [Row] {
  var result: [Row] = []
  while name(Int32(result.count)) != nil, let next = row(UInt32(result.count)) { result.append(next) }
  return result
}
