import ApusDevice

extension GPUDevice {
  func footprint(ofBuffer byteCount: Int) -> Int { pool.capacity(for: byteCount) }

  /// The device memory that no process uses, plus the unused blocks of the pool. If the driver does not report free
  /// memory, this is the device memory that no buffer of this process uses.
  var availableByteCount: Int {
    memory.available(limit: info.memoryByteCount, free: driver.freeByteCount)
  }

  func footprint(of plan: Plan) throws(DeviceError) -> PlanFootprint {
    let lowering = try lower(plan, tuner.choices)
    let numbers = [8 * plan.scalars.count, 8 * lowering.geometry.count]
    return PlanFootprint(
      shared: plan.slabs + [lowering.workspaceByteCount],
      prepared: numbers.reduce(0) { $0 + pool.capacity(for: $1) })
  }
}
