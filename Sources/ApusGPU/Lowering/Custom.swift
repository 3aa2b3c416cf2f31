import ApusDevice
import ApusSystem

extension PlanLowering {
  /// Lowers a user-defined operation. The user's source is the body of a loop over `step.count` items.
  mutating func lower(_ step: Custom, device: String) throws(DeviceError) {
    let kernel = step.kernel
    guard let text = kernel.text else {
      throw .unsupported(device: device, feature: "\(kernel.name), an operation without kernel source")
    }
    guard step.count > 0 else { return }
    let values = (step.inputs + step.results).map { plan.values[$0] }
    let isLarge = KernelBuilder.isLarge(values.reduce(step.count) { max($0, $1.elementCount) })
    var builder = KernelBuilder(family: family(kernel), target: target, isLarge: isLarge)
    var template = KernelTemplate("custom/items.cl")
    for dtype in Set(values.map(\.dtype)).filter(\.isNarrow).sortedArray(by: { $0.description < $1.description }) {
      builder.begin("typedef struct { u16 bits; } \(dtype.arrayName);")
    }
    for (name, value) in zip(kernel.inputNames, step.inputs) { declare(name, value, isConstant: true, &builder) }
    for (name, value) in zip(kernel.resultNames, step.results) { declare(name, value, isConstant: false, &builder) }
    for (name, size) in zip(kernel.sizeNames, step.sizes) {
      let number = builder.number(size)
      builder.declare("const \(builder.index) \(name) = \(number);")
    }
    let real = values.first { $0.dtype.isFloatingPoint }.map(\.dtype.lane)
    let perGroup = isCPU ? max(1, ceilDivide(step.count, 64)) : 256
    template["REAL"] = real.map { "typedef \($0.scalar) REAL;" } ?? ""
    template["index"] = builder.index
    template["perGroup"] = builder.number(perGroup)
    template["count"] = builder.number(step.count)
    template["localSize"] = isCPU ? "1" : "256"
    template["BODY"] = text
    builder.append(template)
    for name in kernel.inputNames + kernel.resultNames {
      builder.lines("#undef LOAD_OF_\(name)\n#undef STORE_OF_\(name)")
    }
    launch(
      builder, groups: ceilDivide(step.count, perGroup), localSize: isCPU ? 1 : 256)
  }

  /// Declares an array under the name that the source uses, and defines `LOAD` and, for a result, `STORE` for it.
  ///
  /// 16-bit elements have a struct type in a kernel, so that the compiler rejects arithmetic on them.
  private func declare(_ name: String, _ value: Int, isConstant: Bool, _ builder: inout KernelBuilder) {
    let dtype = plan.values[value].dtype
    let (pointer, offset) = bind(value, isConstant: isConstant, &builder)
    let qualified = "GLOBAL \(isConstant ? "const " : "")\(dtype.arrayName) *"
    builder.declare("\(qualified)\(name) = (\(qualified))(\(pointer) + \(offset));")
    builder.declare("#define LOAD_OF_\(name)(at) \(element(dtype, pointer, "\(offset) + (at)"))")
    guard !isConstant else { return }
    let stored = "STORE_\(dtype)(\(pointer), \(offset) + (at), 1, (\(dtype.lane.vector))(value))"
    builder.declare("#define STORE_OF_\(name)(at, value) \(stored)")
  }

  /// Returns the operation's name; underscores replace characters that a kernel name cannot contain.
  private func family(_ kernel: CustomKernel) -> String {
    "custom_" + kernel.name.map { $0.isASCII && ($0.isLetter || $0.isNumber) ? String($0) : "_" }.joined()
  }
}

extension DType {
  /// Whether the elements are floating-point numbers of 16 bits.
  fileprivate var isNarrow: Bool { self == .float16 || self == .bfloat16 }

  /// The element type of the arrays in the user's source. For 16-bit elements, the name of this type in a compiler
  /// error tells users to call `LOAD` and `STORE`.
  fileprivate var arrayName: String { isNarrow ? "\(self)_by_LOAD_and_STORE" : storage }
}
