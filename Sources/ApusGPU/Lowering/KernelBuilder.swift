import ApusDevice

/// The slots of the memory blocks that a run of a plan uses: the indices into the `memories` of `GPUDriver.replay`.
struct SlotTable: Sendable {
  var inputs: Int
  var outputs: Int
  var slabs: Int

  init(_ plan: Plan) {
    inputs = plan.inputCount
    outputs = plan.outputs.count
    slabs = plan.slabs.count
  }

  /// The workspace that a step uses in addition to its values.
  var workspace: Int { inputs + outputs + slabs }
  /// The scalar bank: the numbers that the caller passes to each run. An entry has 8 bytes and holds a number of the
  /// entry's arithmetic type.
  var bank: Int { workspace + 1 }
  /// The geometry: the numbers that launches read, such as extents, strides and offsets, as `int64`.
  var geometry: Int { workspace + 2 }
  /// The word of the `FaultRegister`, in which kernels report an index out of range.
  var fault: Int { workspace + 3 }
  var count: Int { workspace + 4 }

  func slot(of storage: Plan.Value.Storage) -> Int {
    switch storage {
    case .input(let index): index
    case .output(let index): inputs + index
    case .scratch(let slab, _): inputs + outputs + slab
    }
  }
}

/// Builds the source of one kernel and the arguments of one launch of it.
///
/// The source does not contain the numbers that `number`, `word` and `table` add, such as extents, strides and offsets.
/// The kernel reads them from the plan's geometry, so that launches of different shapes share a kernel.
struct KernelBuilder {
  let family: String
  let target: KernelTarget
  /// The type of indices. On GPUs, which emulate 64-bit division by many instructions, indices have 32 bits unless the
  /// kernel is large (`isLarge`).
  let index: String
  /// The pointer parameters, in order.
  private(set) var pointers: [Pointer] = []
  /// The tensor maps, in order.
  private(set) var tensorMaps: [TensorMap] = []
  /// The numbers that the kernel reads, in order.
  private(set) var numbers: [Int64] = []
  private var preface = ""
  private var declarations = ""
  var text = ""
  private var indentation = 1
  private var serial = 0
  /// The name of the array from which the kernel reads its numbers.
  var numberSource = "geometry"
  /// Whether a GPU kernel needs many registers. One work-group may then use all registers of a multiprocessor.
  var fillsRegisters = false
  /// Whether work-items read registers of other work-items of their sub-group.
  var usesSubgroups = false
  /// The total size of all local arrays in bytes.
  private(set) var localByteCount = 0
  private var hasLargeLocalArray = false
  /// The number of segments that one launch computes. A segment is one of the domains of an elementwise step, with its
  /// own arrays, for example one parameter of an optimizer step. If there are several segments, each work-group belongs
  /// to one, and the variable `segment` of the kernel selects its memory.
  var segmentCount = 1

  struct Pointer {
    var type: String
    var slot: Int
    /// Whether all segments of a launch use this memory. Otherwise, each segment has memory of its own.
    var isCommon: Bool
  }

  init(family: String, target: KernelTarget, isLarge: Bool) {
    self.family = family
    self.target = target
    index = target.kernelClass == .cpu || isLarge ? "i64" : "int"
  }

  /// Whether a kernel that accesses the indices below `reach` needs 64-bit indices: `reach ≥ 2³⁰`. That is half of the
  /// range of `int`, because kernels also compute larger indices, such as the end of the last tile, before they compare
  /// them with the extent.
  static func isLarge(_ reach: Int) -> Bool { reach >= 1 << 30 }

  /// Adds a pointer parameter bound to `slot`; returns the name of its variable.
  mutating func pointer(
    _ type: String, slot: Int, isConstant: Bool = true, isCommon: Bool = false
  ) -> String {
    let type = "GLOBAL \(isConstant ? "const " : "")\(type) *"
    let name = "p\(pointers.count)"
    pointers.append(Pointer(type: type, slot: slot, isCommon: isCommon))
    if segmentCount > 1, !isCommon {
      let choice = (0..<segmentCount - 1).map { "segment == \($0) ? \(name)_\($0) : " }.joined()
      begin("\(type)const \(name) = \(choice)\(name)_\(segmentCount - 1);")
    }
    return name
  }

  /// Adds a tensor map; returns the name of its parameter.
  mutating func tensorMap(_ map: TensorMap) -> String {
    tensorMaps.append(map)
    return "m\(tensorMaps.count - 1)"
  }

  /// Returns the name of the pointer to `slot` that all segments use. The first call adds the pointer.
  mutating func commonPointer(_ type: String, slot: Int, isConstant: Bool = true) -> String {
    if let index = pointers.firstIndex(where: { $0.isCommon && $0.slot == slot }) { return "p\(index)" }
    return pointer(type, slot: slot, isConstant: isConstant, isCommon: true)
  }

  /// Adds a number that the kernel reads from the geometry; returns the name of its variable.
  mutating func number(_ value: Int) -> String {
    let name = "n\(numbers.count)"
    declarations += "  const \(index) \(name) = (\(index))\(numberSource)[\(numbers.count)];\n"
    numbers.append(Int64(value))
    return name
  }

  /// Adds the bits of a number of any type, which the kernel reads from the geometry; returns the name of its variable.
  mutating func word(_ bits: Int64) -> String {
    let name = "w\(numbers.count)"
    declarations += "  const i64 \(name) = \(numberSource)[\(numbers.count)];\n"
    numbers.append(bits)
    return name
  }

  /// Adds a number as `number(_:)` does. If it equals `trivial`, returns a literal instead, so that the compiler
  /// removes redundant code.
  mutating func number(_ value: Int, orTrivial trivial: Int) -> String {
    value == trivial ? String(trivial) : number(value)
  }

  /// Adds a list of numbers; returns the name of a variable with the offset of the list in the launch's numbers.
  mutating func table(_ values: [Int]) -> String {
    let start = number(numbers.count + 1)
    numbers += values.map(Int64.init)
    return start
  }

  /// Returns a name that no other variable of the kernel has.
  mutating func unique(_ stem: String) -> String {
    serial += 1
    return "\(stem)\(serial)"
  }

  /// Appends a line of the body.
  mutating func line(_ code: String) {
    text += String(repeating: "  ", count: indentation) + code + "\n"
  }

  /// Appends lines of fixed text.
  mutating func lines(_ code: String) {
    for part in code.split(separator: "\n") { line(String(part)) }
  }

  /// Appends `header {`, the lines that `body` adds, and `}`.
  mutating func block(_ header: String, _ body: (inout KernelBuilder) -> Void) {
    line(header + " {")
    indentation += 1
    body(&self)
    indentation -= 1
    line("}")
  }

  /// Appends a line to the declarations, which precede the body.
  mutating func declare(_ code: String) { declarations += "  \(code)\n" }

  /// Appends a line to the preface, which precedes the declarations.
  mutating func begin(_ code: String) { preface += "  \(code)\n" }

  /// Adds an array in the local memory of a work-group.
  mutating func localArray(_ name: String, of lane: Lane, count: Int) {
    localArray(name, type: lane.scalar, byteCount: lane.dtype.byteCount, count: count)
  }

  /// Adds an array of `count` elements of `byteCount` bytes each in the local memory of a work-group.
  /// - Precondition: in CUDA, an array of more than `KernelTarget.staticLocalByteCount` bytes is the only one.
  mutating func localArray(_ name: String, type: String, byteCount: Int, count: Int) {
    let isLarge = target.dialect == .cuda && count * byteCount > KernelTarget.staticLocalByteCount
    precondition(
      localByteCount == 0 || !isLarge && !hasLargeLocalArray, "\(family): a large local array must be the only one")
    hasLargeLocalArray = isLarge
    begin("\(isLarge ? "LARGE_" : "")LOCAL_ARRAY(\(type), \(name), \(count));")
    localByteCount += count * byteCount
  }

  /// Returns the source for work-groups of `localSize` work-items.
  func kernel(localSize: Int) -> KernelSource {
    let parameters = pointers.enumerated().flatMap { index, pointer in
      segmentCount > 1 && !pointer.isCommon
        ? (0..<segmentCount).map { KernelParameter(pointer.type, "p\(index)_\($0)") }
        : [KernelParameter(pointer.type, "p\(index)")]
    }
    return KernelSource(
      family: family, parameters: parameters, tensorMapCount: tensorMaps.count, body: preface + declarations + text,
      for: target.kernelClass,
      localSize: localSize, fillsRegisters: fillsRegisters, usesSubgroups: usesSubgroups)
  }
}

/// A launch before its kernel is built.
struct LoweredLaunch: Sendable {
  var kernel: KernelSource
  var slots: [Int]
  var tensorMaps: [TensorMap] = []
  var geometryOffset: Int
  var groups: Int
  var localSize: Int
  /// The bytes of the local arrays of a work-group.
  var localByteCount: Int
  var cost: StepCost
}
