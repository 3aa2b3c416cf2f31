import Apus
import ApusDevice
import ApusTestSupport
import Testing

/// Dropout with fixed seeds. The reference device and the CPU drop the same elements.
@Suite struct DropoutTests {
  static let devices = TestDevice.all.filter { ["reference", "cpu"].contains($0.name) }

  private func run(_ layer: some Layer, _ x: Tensor, _ mode: Mode = .training, seed: UInt64 = 1) throws -> [Float] {
    try withMode(mode) { try withRandomKey(RandomKey(seed: seed)) { try layer(x).array() } }
  }

  @Test(arguments: devices) func elementsAreDropped(_ test: TestDevice) throws {
    try withDevice(test.device) { () throws in
      let x = Tensor.ones([100, 100])
      let values = try run(Dropout(0.3), x)
      let kept: Float = 1 / 0.7
      #expect(Set(values) == [0, kept])
      // The share of dropped elements has a mean of 0.3 and a standard deviation of 0.0046.
      let droppedCount = values.count { $0 == 0 }
      #expect(abs(Double(droppedCount) / 10_000 - 0.3) < 0.014)
      let sum: Float = values.reduce(0, +)
      #expect(abs(sum / 10_000 - 1) < 0.02)
      #expect(try run(Dropout(0.3), x) == values)
      #expect(try run(Dropout(0.3), x, seed: 2) != values)
      #expect(try run(Dropout(0), x) == x.array())
      #expect(try run(Dropout(0.3), x, .inference) == x.array())
    }
  }

  @Test(arguments: devices) func channelsAreDroppedWhole(_ test: TestDevice) throws {
    try withDevice(test.device) { () throws in
      func check(_ layer: some Layer, _ spatial: [Int]) throws {
        let x = Tensor.ones(Shape([40, 25] + spatial))
        let places = spatial.reduce(1, *)
        let values = try run(layer, x)
        let channels = stride(from: 0, to: values.count, by: places).map { values[$0..<$0 + places] }
        #expect(channels.allSatisfy { Set($0).count == 1 })
        let kept: Float = 1 / 0.75
        #expect(Set(values) == [0, kept])
        let droppedCount = channels.count { $0.first == 0 }
        #expect(abs(Double(droppedCount) / 1000 - 0.25) < 0.042)
        #expect(try run(layer, x) == values)
        #expect(try run(layer, x, .inference) == x.array())
      }
      try check(Dropout1d(0.25), [3])
      try check(Dropout2d(0.25), [2, 3])
      try check(Dropout3d(0.25), [2, 1, 2])
    }
  }

  /// Standard normal inputs keep their mean and variance. Dropped elements become the limit of SELU at −∞, then all
  /// elements are scaled and shifted.
  @Test(arguments: devices) func alphaDropoutKeepsMeanAndVariance(_ test: TestDevice) throws {
    try withDevice(test.device) { () throws in
      var key = RandomKey(seed: 5)
      let x = Tensor.normal([200, 100], key: &key)
      let values = try run(AlphaDropout(0.2), x).map(Double.init)
      let mean = values.reduce(0, +) / 20_000
      let variance = values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / 20_000
      #expect(abs(mean) < 0.03 && abs(variance - 1) < 0.03)
      let limit = -1.7580993408473766
      let a = 1 / (0.8 * (1 + 0.2 * limit * limit)).squareRoot()
      let dropped = a * limit * 0.8
      #expect(abs(Double(values.count { abs($0 - dropped) < 1e-5 }) / 20_000 - 0.2) < 0.01)
      let inputs = try x.array().map(Double.init)
      let isRight = zip(inputs, values).allSatisfy {
        abs($1 - dropped) < 1e-5 || abs($1 - (a * $0 - a * 0.2 * limit)) < 1e-5
      }
      #expect(isRight)
      #expect(try run(AlphaDropout(0.2), x, .inference) == x.array())
    }
  }

  /// Whole channels are dropped. Dropped and kept channels get the values that `AlphaDropout` gives to elements.
  @Test(arguments: devices) func featureAlphaDropout(_ test: TestDevice) throws {
    try withDevice(test.device) { () throws in
      let x = Tensor.ones([40, 25, 2, 3])
      let values = try run(FeatureAlphaDropout(0.2), x).map(Double.init)
      let limit = -1.7580993408473766
      let a = 1 / (0.8 * (1 + 0.2 * limit * limit)).squareRoot()
      let (dropped, kept) = (a * limit * 0.8, a - a * 0.2 * limit)
      let channels = stride(from: 0, to: values.count, by: 6).map { values[$0..<$0 + 6] }
      for channel in channels {
        #expect(channel.allSatisfy { abs($0 - dropped) < 1e-5 } || channel.allSatisfy { abs($0 - kept) < 1e-5 })
      }
      #expect(abs(Double(channels.count { $0.first! < 0 }) / 1000 - 0.2) < 0.04)
      #expect(try run(FeatureAlphaDropout(0.2), x, .inference) == x.array())
      #expect(throws: ShapeError.self) { try checkingShapes { _ = FeatureAlphaDropout()(.ones([3])) } }
    }
  }

  /// Monte-Carlo dropout: inference drops elements too, and the mean of the outputs is near the input.
  @Test(arguments: devices) func layersThatAreAlwaysOnDropInInference(_ test: TestDevice) throws {
    try withDevice(test.device) { () throws in
      let x = Tensor.ones([1, 50, 2, 2])
      func check(_ layer: some Layer) throws {
        let draws = try (0..<200).map { try run(layer, x, .inference, seed: $0) }
        #expect(Set(draws).count > 190)
        let mean = draws.reduce(0) { $0 + $1.reduce(0, +) } / Float(200 * 200)
        #expect(abs(mean - 1) < 0.05)
        #expect(try run(layer, x, .inference, seed: 3) == run(layer, x, .training, seed: 3))
      }
      try check(Dropout(0.5, isAlwaysOn: true))
      try check(Dropout2d(0.5, isAlwaysOn: true))
      let alpha = AlphaDropout(0.5, isAlwaysOn: true)
      #expect(try run(alpha, x, .inference) != x.array())
      // A layer that is always on needs no mode.
      let gradient = withRandomKey(RandomKey(seed: 1)) {
        gradients(of: Dropout(0.5, isAlwaysOn: true)(x).sum(), withRespectTo: [x])[0]
      }
      #expect(Set(try gradient.array()) == [0, 2])
    }
  }

  /// Results and gradients recompute the mask instead of reading it from memory: no value of a plan contains random
  /// numbers or masks.
  @Test func masksAreNotStored() throws {
    func plan(_ layer: some Layer, _ shape: Shape, weight: Shape?) throws -> Plan {
      let device = RecordingDevice(channelsLast: { _, _ in ChannelsLastPreference(.always) })
      try withDevice(ComputeDevice(backend: device)) { () throws in
        let (x, w) = (Tensor.ones(shape), weight.map { Tensor.ones($0) })
        try eval([x] + (w.map { [$0] } ?? []))
        func net() -> Tensor {
          let hidden = w.map { shape.rank == 4 ? x.convolved(with: $0, padding: [(1, 1)]) : x.matmul($0) } ?? x
          return layer((hidden * 2).tanh()).squared().sum()
        }
        try withMode(.training) {
          try withRandomKey(RandomKey(seed: 3)) { () throws in
            try eval(gradients(of: net(), withRespectTo: [x] + (w.map { [$0] } ?? [])))
          }
        }
      }
      return try #require(device.plans.last)
    }
    for plan in [
      try plan(Dropout(0.4), [32, 24], weight: nil), try plan(Dropout(0.4), [32, 24], weight: [24, 40]),
      try plan(AlphaDropout(0.4), [32, 24], weight: [24, 40]),
      try plan(Dropout(0.4), [2, 16, 8, 8], weight: [32, 16, 3, 3]),
    ] {
      #expect(plan.values.allSatisfy { $0.dtype == .float32 })
    }
  }

  /// The gradient of a dropped element is zero, and the gradient of a kept element is multiplied by the same factor as
  /// the element. The dropout follows an elementwise operation, a product, a convolution or a reduction.
  @Test(arguments: devices) func gradientsDropTheSame(_ test: TestDevice) throws {
    try withDevice(test.device) { () throws in
      func check(_ shape: Shape, _ hidden: (Tensor) -> Tensor) throws {
        let x = Tensor.ones(shape)
        try withMode(.training) {
          try withRandomKey(RandomKey(seed: 11)) {
            let shift = Tensor.zeros(hidden(x).shape)
            let y = Dropout(0.5)(hidden(x) * 0 + 1 + shift)
            let gradient = gradients(of: (y * 3).sum(), withRespectTo: [shift])[0]
            try eval([y, gradient])
            #expect(try gradient.array().map { $0 / 3 } == y.array())
            #expect(try y.array() == run(Dropout(0.5), .ones(shift.shape), seed: 11))
            #expect(try Set(y.array()) == [0, 2])
          }
        }
      }
      try check([33, 37]) { $0.tanh() }
      try check([33, 37]) { $0.matmul(.ones([37, 29])) }
      try check([2, 16, 9, 7]) { $0.convolved(with: .ones([24, 16, 3, 3]), padding: [(1, 1)]) }
      try check([5, 7, 33]) { $0 - $0.mean(axis: 2, keepingAxes: true) }
    }
  }

  @Test func devicesDropTheSame() throws {
    let layers: [any Layer] = [Dropout(0.4), Dropout2d(0.4), AlphaDropout(0.4), FeatureAlphaDropout(0.4)]
    for layer in layers {
      let values = try DropoutTests.devices.map { test in
        try withDevice(test.device) { () throws in try run(layer, .ones([4, 6, 3, 3]), seed: 9) }
      }
      #expect(values.allSatisfy { zip($0, values[0]).allSatisfy { abs($0 - $1) < 1e-6 } })
    }
  }
}
