public import Kernels

/// A straight-line elementwise program: loads, instructions, stores.
///
/// Registers are numbered: register `i` below `inputs.count` is input `i`, and register `inputs.count + j` is the
/// result of instruction `j`. A program contains no shapes, so that one compiled kernel serves many domains.
public struct Program: Hashable, Sendable {
  /// The source of an input register.
  public enum Input: Hashable, Sendable {
    /// An element of a tensor, converted to the arithmetic type (lane) of its element type.
    case tensor(DType)
    /// An entry of the plan's scalar bank (the numbers that are passed to each run), the same for all elements.
    case scalar(Lane)
    /// The offset that the argument's layout assigns to the element (`Argument.index`). It is computed, not loaded; its
    /// lane is `int32` or `int64`.
    case index(Lane)
    /// A core result. It occurs only in the epilogue of a step: the value that the step has computed before, such as an
    /// element of a matrix product or a sum.
    case core(Lane)

    /// The arithmetic type of the register.
    public var lane: Lane {
      switch self {
      case .tensor(let dtype): dtype.lane
      case .scalar(let lane), .index(let lane), .core(let lane): lane
      }
    }
  }

  /// A register to store, and the element type in memory; the lane of the register is `dtype.lane`.
  public struct Output: Hashable, Sendable {
    /// The register whose value is stored.
    public var register: Int
    /// The element type that stores the value.
    public var dtype: DType

    /// Stores `register` as elements of `dtype`.
    public init(register: Int, dtype: DType) {
      self.register = register
      self.dtype = dtype
    }
  }

  /// The sources of the first registers, in order.
  public var inputs: [Input]
  /// The instructions that compute the registers after the inputs, each from earlier registers.
  public var instructions: [Instruction]
  /// The registers to store.
  public var outputs: [Output]

  /// Creates a program; an empty one does nothing.
  public init(inputs: [Input] = [], instructions: [Instruction] = [], outputs: [Output] = []) {
    self.inputs = inputs
    self.instructions = instructions
    self.outputs = outputs
  }

  /// The lane of the input or instruction that defines the register.
  public func lane(of register: Int) -> Lane {
    register < inputs.count
      ? inputs[register].lane : instructions[register - inputs.count].result
  }
}

/// One elementwise function applied to registers.
public struct Instruction: Hashable, Sendable {
  /// What an instruction computes.
  public enum Function: Hashable, Sendable, CustomStringConvertible {
    /// The operation that a row of `Kernels/elementwise.def` defines, such as `floorDivide`.
    case row(ElementwiseRow)
    /// The value of `immediate`. There are no operands.
    case constant
    /// One of two values. Operands: a condition (of lane `int32`; nonzero is true), the value where it is true, and the
    /// value elsewhere.
    case select
    /// Word `number` of a stream of random words, as `int32`. Operands: `number` (of lane `lane`, `int32` or `int64`),
    /// seed and counter (`int64`). This is word `number mod 4` of the four words that Philox4x32-10 (Salmon et al.,
    /// 2011) returns for the counter `(low(number / 4), high(number / 4), low(counter), high(counter))` and the key
    /// `(low(seed), high(seed))`; `low` and `high` are the halves of a 64-bit number.
    case random
    /// The operand, converted from lane `lane` to lane `result`. A conversion from float to integer truncates toward
    /// zero, saturates, and gives 0 for NaN. A conversion from integer to integer wraps. A conversion to a float lane
    /// rounds to nearest even.
    case convert

    /// The name of the row, or of the case.
    public var name: String {
      switch self {
      case .row(let row): row.name
      case .constant: "constant"
      case .select: "select"
      case .random: "random"
      case .convert: "convert"
      }
    }
    public var description: String { name }
  }

  /// The computation: a row of `elementwise.def`, a constant, a selection, random bits or a conversion.
  public var function: Function
  /// The lane of the operands. A row has a separate implementation for each lane that it supports.
  public var lane: Lane
  /// The lane of the result. It is the lane of the operands, except for `convert`, `random` (`int32`), rows that
  /// compare or test numbers (`int32`, 0 or 1) and the row `unitFloat` (`float32`).
  public var result: Lane
  /// The operand registers, at most three.
  public var operands: [Int]
  /// The value of a `constant`; `nil` for all other functions.
  public var immediate: Scalar?

  /// Creates an instruction; by default, its result has the lane of the operands.
  public init(
    _ function: Function, lane: Lane, result: Lane? = nil, operands: [Int], immediate: Scalar? = nil
  ) {
    self.function = function
    self.lane = lane
    self.result = result ?? lane
    self.operands = operands
    self.immediate = immediate
  }

  /// An instruction that computes a row.
  public init(_ row: ElementwiseRow, lane: Lane, result: Lane? = nil, operands: [Int]) {
    self.init(.row(row), lane: lane, result: result, operands: operands)
  }
}

/// A number on the host, such as an immediate of a program or an entry of the scalar bank.
public enum Scalar: Hashable, Sendable {
  case float(Double)
  case integer(Int64)

  /// The value as a `Double`; integers beyond ±2⁵³ are rounded.
  public var double: Double {
    switch self {
    case .float(let value): value
    case .integer(let value): Double(value)
    }
  }

  /// The value as an integer; fractions are truncated, values out of range are clamped, NaN is 0.
  public var integer: Int64 {
    switch self {
    case .float(let value):
      value.isNaN ? 0 : Int64(exactly: value.rounded(.towardZero)) ?? (value < 0 ? .min : .max)
    case .integer(let value): value
    }
  }
}
