import Apus
import ApusDevice
import ApusSystem

extension OpCase {
  /// Compares first and second derivatives in `float64` with central differences along random directions.
  ///
  /// `f` is the operation, `s` are random weights, `u` and `d` are random directions of the inputs `x`. The first
  /// derivative is the slope of `L = Σ s·(f(x) + f(x)²/2)` along `d`, which is `⟨∇L, d⟩`. The second derivative is the
  /// slope of `G = ⟨∇L, u⟩` along `d`, which is `⟨∇G, d⟩`.
  public func gradientProblems(on device: TestDevice) throws -> [String] {
    guard derivatives != .none else { return ["\(name): the case has no derivatives to compare"] }
    var problems: [String] = []
    for round in 0..<2 {
      let probe = Probe(self, round: round)
      let first = try probe.slopes(on: device, order: 1)
      if let problem = probe.compare(first) { problems.append("\(name), first derivative: \(problem)") }
      guard derivatives == .second else { continue }
      let second = try probe.slopes(on: device, order: 2)
      if let problem = probe.compare(second) { problems.append("\(name), second derivative: \(problem)") }
    }
    return problems
  }

  /// The orders of the derivatives in `float32` that `gradientParityProblems` compares on a device.
  ///
  /// Devices that build kernels at run time skip second derivatives of composed operations (see `isComposed`), because
  /// the components of these operations have separate cases. The CUDA device and OpenCL devices with `gpu` kernels
  /// (`TestDevice.Extent.everyShape`) run only first derivatives of operations that are not composed. The tests with
  /// `cpu` kernels also cover first derivatives of composed operations, and second derivatives of operations that are
  /// not composed.
  public func gradientOrders(on device: TestDevice) throws -> [Int] {
    guard derivatives != .none else { return [] }
    let orders = derivatives == .second ? [1, 2] : [1]
    switch device.extent {
    case .everything: return orders
    case .everyType: return try isComposed(on: device) ? [1] : orders
    case .everyShape: return try isComposed(on: device) ? [] : [1]
    }
  }

  /// Compares gradients in `float32` with the gradients of `oracle` in `float64`, for the orders that `gradientOrders`
  /// returns.
  public func gradientParityProblems(on device: TestDevice, oracle: TestDevice) throws -> [String] {
    let orders = try gradientOrders(on: device)
    guard !orders.isEmpty else { return ["\(name): no gradient is compared on \(device.name)"] }
    let probe = Probe(self, round: 0, inputType: .float32)
    let (found, expected) = try (
      probe.gradients(on: device, orders: orders, dtype: .float32),
      probe.gradients(on: oracle, orders: orders, dtype: .float64)
    )
    let terms = probe.grids.map(\.values.count).max() ?? 1
    return zip(found, expected).enumerated().compactMap { number, pair in
      let scale = pair.1.values.map(\.magnitude).max() ?? 0
      let bound = Tolerance.gradient(terms: terms) * max(scale, 1)
      for (place, values) in zip(pair.0.values, pair.1.values).enumerated()
      where !((values.0 - values.1).magnitude <= bound) {
        return "\(name): element \(place) of gradient \(number) is \(values.0), expected \(values.1) ± \(bound)"
      }
      return nil
    }
  }
}

/// The inputs of a case, random directions `d` (`directions`) and `u` (`inner`), and random weights `s` of the result.
private struct Probe {
  let operation: OpCase
  let grids: [Grid]
  /// The inputs that gradients flow to.
  let targets: [Int]
  let directions: [Grid]
  let inner: [Grid]
  let weights: Grid

  init(_ operation: OpCase, round: Int, inputType: DType = .float64) {
    self.operation = operation
    let grids = operation.grids(0, dtype: inputType)
    let targets = operation.inputs.indices.filter(operation.isDifferentiable)
    var random = SplitMix64(state: UInt64(round + 1) &* 7919 &+ UInt64(operation.name.utf8.count))
    // Multiples of 2⁻⁹, which float32 represents exactly.
    func draw() -> Double { Double(Int(random.next() >> 56) - 128) / 256 + 0x1p-9 }
    directions = targets.map { Grid(grids[$0].shape) { _ in draw() } }
    inner = targets.map { Grid(grids[$0].shape) { _ in draw() } }
    weights = Grid(operation.reference(grids).shape) { _ in draw() }
    (self.grids, self.targets) = (grids, targets)
  }

  /// The inputs moved by `distance` along `d`.
  private func moved(_ distance: Double) -> [Grid] {
    var result = grids
    for (direction, target) in zip(directions, targets) {
      for place in result[target].values.indices {
        result[target].values[place] += distance * direction.values[place]
      }
    }
    return result
  }

  /// `L`, or `G` if `order` is 1 (see `gradientProblems`), and the input tensors to which gradients flow.
  private func function(_ grids: [Grid], order: Int, dtype: DType) -> (value: Tensor, inputs: [Tensor]) {
    let tensors = operation.tensors(grids, dtype: dtype)
    let inputs = targets.map { tensors[$0] }
    let result = operation.apply(tensors)
    // `L` is not linear in the result, so the gradient that reaches the operation depends on the inputs. Second
    // derivatives then also pass through this gradient.
    var value = (result * (result * 0.5 + 1) * Tensor(weights, dtype: dtype)).sum()
    if order == 1 {
      let first = Apus.gradients(of: value, withRespectTo: inputs)
      value = zip(first, inner).map { ($0 * Tensor($1, dtype: dtype)).sum() }.reduce(Tensor.zeros([], dtype: dtype), +)
    }
    return (value, inputs)
  }

  /// The derivative along `d`, both as the sum of gradients times directions (`gradient`) and as the central difference
  /// (`difference`). `scale` is the sum of the magnitudes of the terms of `gradient`.
  func slopes(on device: TestDevice, order: Int) throws -> (gradient: Double, difference: Double, scale: Double) {
    try withDevice(device.device) { () throws in
      let h = Tolerance.finiteDistance
      let (ahead, behind, found) = try checkingShapes {
        let (value, inputs) = function(grids, order: order - 1, dtype: .float64)
        return (
          function(moved(h), order: order - 1, dtype: .float64).value,
          function(moved(-h), order: order - 1, dtype: .float64).value,
          Apus.gradients(of: value, withRespectTo: inputs)
        )
      }
      try eval([ahead, behind] + found)
      var (slope, scale) = (0.0, 0.0)
      for (gradient, direction) in zip(found, directions) {
        for (g, d) in zip(try gradient.values(), direction.values) {
          slope += g * d
          scale += (g * d).magnitude
        }
      }
      return (slope, (try ahead.scalar() - behind.scalar()) / (2 * h), scale)
    }
  }

  func compare(_ slopes: (gradient: Double, difference: Double, scale: Double)) -> String? {
    let bound = Tolerance.finiteDifference * max(slopes.scale, slopes.difference.magnitude, 1)
    guard (slopes.gradient - slopes.difference).magnitude <= bound else {
      return "the slope is \(slopes.gradient), by differences \(slopes.difference)"
    }
    return nil
  }

  /// All gradients of the given orders.
  func gradients(on device: TestDevice, orders: [Int], dtype: DType) throws -> [Grid] {
    try withDevice(device.device) { () throws in
      let found = try checkingShapes {
        orders.flatMap { order in
          let (value, inputs) = function(grids, order: order - 1, dtype: dtype)
          return Apus.gradients(of: value, withRespectTo: inputs)
        }
      }
      try eval(found)
      return try found.map { try $0.grid() }
    }
  }
}
