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
  /// The numbers that launches read: extents, strides and offsets, as `int64`.
  var geometry: Int { workspace + 2 }
  /// The word of the `FaultRegister`.
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
  /// The type of indices. On GPUs, which emulate 64-bit division by many instructions, indices have 32 bits unless one
  /// needs 64.
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
  var source = "geometry"
  /// Whether a GPU kernel needs many registers. One group may then use all registers of a multiprocessor.
  var fillsRegisters = false
  /// Whether work-items read registers of other work-items of their sub-group.
  var usesSubgroups = false
  /// The bytes of all local arrays.
  private(set) var localByteCount = 0
  /// The number of segments of an elementwise step (domains with their arrays) that one launch computes. If there are
  /// several, the kernel selects its memory by the variable `segment`.
  var segmentCount = 1

  struct Pointer {
    var type: String
    var slot: Int
    /// Whether all segments of a kernel use the same memory.
    var isShared: Bool
  }

  init(family: String, target: KernelTarget, isLarge: Bool) {
    self.family = family
    self.target = target
    index = target.kernelClass == .cpu || isLarge ? "i64" : "int"
  }

  /// Whether a kernel whose indices reach `reach` needs 64-bit indices: `reach ≥ 2³⁰`.
  static func isLarge(_ reach: Int) -> Bool { reach >= 1 << 30 }

  /// Adds a pointer parameter bound to `slot`; returns the name of its variable.
  mutating func pointer(
    _ type: String, slot: Int, isConstant: Bool = true, isShared: Bool = false
  ) -> String {
    let type = "GLOBAL \(isConstant ? "const " : "")\(type) *"
    let name = "p\(pointers.count)"
    pointers.append(Pointer(type: type, slot: slot, isShared: isShared))
    if segmentCount > 1, !isShared {
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

  /// Returns the name of the shared pointer to `slot`, which is added at the first request.
  mutating func sharedPointer(_ type: String, slot: Int, isConstant: Bool = true) -> String {
    if let index = pointers.firstIndex(where: { $0.isShared && $0.slot == slot }) { return "p\(index)" }
    return pointer(type, slot: slot, isConstant: isConstant, isShared: true)
  }

  /// Adds a number that the kernel reads from the geometry; returns the name of its variable.
  mutating func number(_ value: Int) -> String {
    let name = "n\(numbers.count)"
    declarations += "  const \(index) \(name) = (\(index))\(source)[\(numbers.count)];\n"
    numbers.append(Int64(value))
    return name
  }

  /// Adds the bits of a number of any type, which the kernel reads from the geometry; returns the name of its variable.
  mutating func word(_ bits: Int64) -> String {
    let name = "w\(numbers.count)"
    declarations += "  const i64 \(name) = \(source)[\(numbers.count)];\n"
    numbers.append(bits)
    return name
  }

  /// Adds a number or, if it equals `trivial`, returns it as a literal, so that the compiler removes redundant code.
  mutating func number(_ value: Int, orTrivial trivial: Int) -> String {
    value == trivial ? String(trivial) : number(value)
  }

  /// Adds a list of numbers; returns the name of a variable with the offset of the list in the launch's geometry.
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

  /// Appends a line after the declarations so far and before the body.
  mutating func declare(_ code: String) { declarations += "  \(code)\n" }

  /// Appends a line to the start of the kernel, before the declarations.
  mutating func begin(_ code: String) { preface += "  \(code)\n" }

  /// Adds an array in the local memory of a work-group.
  mutating func localArray(_ name: String, of lane: Lane, count: Int) {
    localArray(name, type: lane.scalar, byteCount: lane.dtype.byteCount, count: count)
  }

  /// Adds an array of `count` elements of `byteCount` bytes each in the local memory of a work-group.
  mutating func localArray(_ name: String, type: String, byteCount: Int, count: Int) {
    let isLarge = target.dialect == .cuda && count * byteCount > KernelTarget.staticLocalByteCount
    precondition(localByteCount == 0 || !isLarge, "\(family): a large local array must be the only one")
    begin("\(isLarge ? "LARGE_" : "")LOCAL_ARRAY(\(type), \(name), \(count));")
    localByteCount += count * byteCount
  }

  /// Returns the source for work-groups of `localSize` work-items.
  func kernel(localSize: Int) -> KernelSource {
    let parameters = pointers.enumerated().flatMap { index, pointer in
      segmentCount > 1 && !pointer.isShared
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
