import ApusDevice

extension PlanLowering {
  /// Lowers a loop. If all iterations use the same kernels, and each offset changes by the same amount after every
  /// iteration (as the first two iterations and the last show), the launches of the body are added once, as a
  /// `LaunchLoop`. The offsets are numbers in the geometry, a buffer that the kernels read.
  mutating func lower(_ step: Loop, device: String) throws(DeviceError) {
    copyInitial(step)
    let order = step.order
    guard let first = order.first, let last = order.last else { return }
    let start = try lowered(step, at: first, device: device)
    if order.count == 1 { return append(start, count: 1, step: []) }
    let next = try lowered(step, at: order[1], device: device)
    let end = try lowered(step, at: last, device: device)
    let difference = zip(next.geometry, start.geometry).map { $0 - $1 }
    let iterations = Int64(order.count - 1)
    let isRegular =
      start.kernels == next.kernels && start.kernels == end.kernels
      && end.geometry == zip(start.geometry, difference).map { $0 + iterations * $1 }
    if isRegular { return append(start, count: order.count, step: difference) }
    // The iterations use different kernels, for example because the index width of a kernel depends on offsets, or the
    // offsets change irregularly: lower each iteration separately.
    for position in order { append(try lowered(step, at: position, device: device), count: 1, step: []) }
  }

  private var kernels: [KernelSource] { launches.map(\.kernel) }

  private mutating func copyInitial(_ step: Loop) {
    for (initial, carried) in zip(step.initial, step.carried) {
      let value = plan.values[carried]
      lower(part: .part("initial values", read: value.byteCount, written: value.byteCount)) {
        $0.lower(Elementwise(copying: initial, to: carried, as: value))
      }
    }
  }

  /// Lowers the body for one position in the sequences over which the loop iterates.
  private func lowered(_ step: Loop, at position: Int, device: String) throws(DeviceError) -> PlanLowering {
    let locations = step.body.values.indices.map { value in
      let location = step.location(of: value)
      var result = self.location(value: location.value)
      let offset = location.offset + position * location.stride
      let (outer, inner) = (plan.values[location.value].dtype.byteCount, step.body.values[value].dtype.byteCount)
      result.offset = (result.offset + offset) * outer / inner
      return result
    }
    var inner = PlanLowering(step.body, in: self, locations: locations)
    try inner.run(device: device)
    return inner
  }

  /// Adds the launches of a loop's body, which run `count` times, and the geometry of each iteration. Number `i` of the
  /// geometry changes by `step[i]` from one iteration to the next.
  private mutating func append(_ body: PlanLowering, count: Int, step: [Int64]) {
    let (firstLaunch, base) = (launches.count, geometry.count)
    needWorkspace(body.workspaceByteCount)
    for var site in body.sites {
      site.launch += firstLaunch
      site.isRepeated = site.isRepeated || count > 1
      add(site)
    }
    for iteration in 0..<count {
      for (index, number) in body.geometry.enumerated() {
        add(number: iteration == 0 ? number : number + Int64(iteration) * step[index])
      }
    }
    for var launch in body.launches {
      launch.geometryOffset += base
      add(launch)
    }
    if count > 1 {
      add(LaunchLoop(range: firstLaunch..<launches.count, count: count, geometryStride: body.geometry.count))
    }
    for var loop in body.loops {
      loop.range = (loop.range.lowerBound + firstLaunch)..<(loop.range.upperBound + firstLaunch)
      add(loop)
    }
  }
}
