import ApusDevice

extension PlanLowering {
  /// A user's operation: its text as the body of a loop over items.
  mutating func lower(_ step: Custom, device: String) throws(DeviceError) {
    let kernel = step.kernel
    guard let text = kernel.text else {
      throw .unsupported(device: device, feature: "\(kernel.name), which has no kernel text")
    }
    guard step.count > 0 else { return }
    let values = (step.inputs + step.results).map { plan.values[$0] }
    let isLarge = step.count >= 1 << 30 || values.contains { $0.elementCount >= 1 << 30 }
    var builder = KernelBuilder(family: family(kernel), target: target, isLarge: isLarge)
    var template = KernelTemplate("custom/items.cl")
    for (name, value) in zip(kernel.inputNames, step.inputs) {
      let (pointer, offset) = bind(value, isConstant: true, &builder)
      builder.declare("GLOBAL const \(plan.values[value].dtype.storage) *\(name) = \(pointer) + \(offset);")
    }
    for (name, value) in zip(kernel.resultNames, step.results) {
      let (pointer, offset) = bind(value, isConstant: false, &builder)
      builder.declare("GLOBAL \(plan.values[value].dtype.storage) *\(name) = \(pointer) + \(offset);")
    }
    for (name, size) in zip(kernel.sizeNames, step.sizes) {
      let number = builder.number(size)
      builder.declare("const \(builder.index) \(name) = \(number);")
    }
    let real = values.first { $0.dtype.isFloatingPoint }.map(\.dtype.lane)
    let perGroup = isCPU ? max(1, (step.count + 63) / 64) : 256
    template["REAL"] = real.map { "typedef \($0.scalar) REAL;" } ?? ""
    template["index"] = builder.index
    template["perGroup"] = builder.number(perGroup)
    template["count"] = builder.number(step.count)
    template["localSize"] = isCPU ? "1" : "256"
    template["BODY"] = text
    builder.append(template)
    launch(
      builder, groups: (step.count + perGroup - 1) / perGroup, localSize: isCPU ? 1 : 256,
      detail: "\(kernel.name) \(step.count)", bytes: Double(values.reduce(0) { $0 + $1.byteCount }))
  }

  /// The name, as far as a kernel can be called that.
  private func family(_ kernel: CustomKernel) -> String {
    "custom_" + kernel.name.map { $0.isASCII && ($0.isLetter || $0.isNumber) ? String($0) : "_" }.joined()
  }
}
