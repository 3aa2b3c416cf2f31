import ApusDevice

extension PlanLowering {
  mutating func lower(_ step: RandomBits) {
    guard step.count > 0 else { return }
    var builder = KernelBuilder(family: "random", target: target, isLarge: step.count >= 1 << 28)
    builder.begin("const i64 start = 0;")
    var template = KernelTemplate("random/philox.cl")
    let bank = builder.sharedPointer("i64", slot: slots.bank)
    for (name, entry) in [("seed", step.seed), ("counter", step.counter)] {
      let number = builder.number(entry)
      builder.declare("const VL \(name) = SCALAR_i64(\(bank), \(number));")
      template[name] = name
    }
    template["index"] = builder.index
    let (result, offset) = bind(step.result, isConstant: false, &builder)
    (template["result"], template["offset"]) = (result, offset)
    template["count"] = builder.number(step.count)
    let groups = builder.overRows(
      1, columns: (step.count + 3) / 4, elementsPerGroup: isCPU ? 2048 : 256, begin: { _ in },
      body: { $0.append(template) })
    launch(
      builder, groups: groups, localSize: isCPU ? 1 : 256, detail: "random \(step.count)",
      bytes: Double(4 * step.count))
  }
}
