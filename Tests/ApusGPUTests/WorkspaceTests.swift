import Apus
import ApusDevice
import ApusTestSupport
import ApusCSIMD
import Testing

@testable import ApusCPU
@testable import ApusGPU

/// The workspace of a plan (the scratch memory of its steps) is bounded by the size of its values, whatever the ratios
/// of their extents. Plans are lowered or prepared, not run.
@Suite struct WorkspaceTests {
  /// The workspace of a plan may have `free` bytes plus `times` times the bytes of the plan's values.
  private static let free = 4 << 20
  private static let times = 4

  /// An evaluated input of a plan, filled with zeros.
  private func input(_ shape: Shape, _ dtype: DType = .float32) throws -> Tensor {
    try eval(Tensor(repeating: 0, shape: shape, dtype: dtype))
  }

  /// Lowers plans to the kernels for CPUs and to the kernels for GPUs, and checks their workspace.
  private func checkKernels(_ plans: some Sequence<Plan>, _ name: String) throws {
    for plan in plans {
      let (values, bound) = bound(plan)
      for kernels in KernelTarget.Class.allCases {
        let target = KernelTarget(dialect: .openCL, kernelClass: kernels, supportsFloat64: true)
        var lowering = PlanLowering(plan, target: target, choices: nil)
        try lowering.run(device: "test")
        let workspace = lowering.workspaceByteCount
        #expect(workspace <= bound, "\(name): \(workspace >> 20) MiB beside \(values >> 20), \(kernels) kernels")
      }
    }
  }

  /// Prepares plans for the CPU, and checks their workspace.
  private func checkLoops(_ plans: some Sequence<Plan>, _ name: String) throws {
    for plan in plans {
      let (values, bound) = bound(plan)
      for threads in [1, 16] {
        let loops = try #require(csimd_choose(nil))
        let executable = try CPUExecutable(
          plan, loops: loops, threadCount: threads, pairs: csimd_find_fast_pairs(loops))
        // Each thread may use 2 MiB more, for buffers whose size depends on the sizes of the caches.
        let workspace = executable.workspaceByteCounts.reduce(executable.sharedByteCount, +)
        #expect(
          workspace <= bound + (threads << 21),
          "\(name): \(workspace >> 20) MiB beside \(values >> 20), \(threads) threads")
      }
    }
  }

  private func bound(_ plan: Plan) -> (values: Int, bound: Int) {
    let values = plan.values.reduce(0) { $0 + $1.byteCount }
    return (values, Self.free + Self.times * values)
  }

  /// Checks the plan of each tensor that `body` builds from evaluated inputs.
  private func check(_ name: String, _ body: () throws -> [Tensor]) throws {
    for isCPU in [false, true] {
      let device = RecordingDevice(checksPlans: false, prefersFloat32Products: isCPU)
      try withDevice(ComputeDevice(backend: device)) { () throws in
        let results = try body()
        let before = device.plans.count
        for result in results { _ = try eval(result) }
        let plans = device.plans.dropFirst(before)
        if isCPU { try checkLoops(plans, name) } else { try checkKernels(plans, name) }
      }
    }
  }

  @Test func products() throws {
    for dtype in [DType.float32, .bfloat16, .int8] { try checkProducts(dtype) }
  }

  private func checkProducts(_ dtype: DType) throws {
    for (m, n, k) in [
      (1, 1, 20_000_000), (1, 2, 2_000_000), (2, 1, 2_000_000), (3, 5, 1_000_000), (4, 5, 500_000),
      (1, 17, 500_000), (17, 1, 500_000), (1, 2_000_000, 1), (2_000_000, 1, 1), (2_000_000, 1, 3), (1, 300_000, 20),
      (3000, 3000, 1), (100_000, 3, 16), (64, 64, 100_000), (2000, 2000, 300),
    ] {
      try check("\(m)x\(n)x\(k) \(dtype)") {
        let (a, b) = (try input([m, k], dtype), try input([k, n], dtype))
        let (left, right) = (try input([k, m], dtype), try input([n, k], dtype))
        return [
          a.matmul(b), left.transposed().matmul(b), a.matmul(right.transposed()),
          left.transposed().matmul(right.transposed()),
        ]
      }
    }
    for (count, m, n, k) in [(20_000, 1, 1, 100), (2000, 1, 17, 300), (2000, 17, 1, 300), (5000, 20, 20, 20)] {
      try check("\(count)×\(m)x\(n)x\(k) \(dtype)") {
        let (a, b) = (try input([count, m, k], dtype), try input([count, k, n], dtype))
        return [a.matmul(b), a.matmul(try input([count, n, k], dtype).transposed())]
      }
    }
  }

  @Test func convolutions() throws {
    typealias Case = (image: Shape, weight: Shape, stride: Int, padding: Int, dilation: Int, groups: Int)
    let cases: [Case] = [
      ([1, 3, 512, 512], [64, 3, 7, 7], 2, 3, 1, 1), ([8, 64, 64, 64], [64, 64, 3, 3], 1, 1, 1, 1),
      ([1, 256, 14, 14], [256, 256, 3, 3], 1, 1, 1, 1), ([32, 16, 64, 64], [16, 16, 3, 3], 1, 1, 1, 1),
      ([16, 64, 56, 56], [256, 64, 1, 1], 1, 0, 1, 1), ([4, 8, 128, 128], [8, 8, 5, 5], 1, 4, 2, 1),
      ([8, 96, 56, 56], [96, 1, 3, 3], 1, 1, 1, 96), ([4, 3, 256, 256], [8, 3, 11, 11], 1, 5, 1, 1),
      ([1, 1, 1_000_000], [1, 1, 3], 1, 1, 1, 1), ([1, 4, 500_000], [4, 4, 9], 1, 4, 1, 1),
      ([64, 1, 4000], [8, 1, 25], 1, 12, 1, 1), ([2, 4, 48, 48, 48], [8, 4, 3, 3, 3], 1, 1, 1, 1),
    ]
    for (image, weight, stride, padding, dilation, groups) in cases {
      try check("\(image) with \(weight)") {
        let (x, w) = (try input(image), try input(weight))
        let axes = image.rank - 2
        let y = x.convolved(
          with: w, stride: Array(repeating: stride, count: axes),
          padding: Array(repeating: (before: padding, after: padding), count: axes),
          dilation: Array(repeating: dilation, count: axes), groups: groups)
        return [y] + gradients(of: (y * (try input(y.shape))).sum(), withRespectTo: [x, w])
      }
    }
  }

  @Test func reductionsScansAndSorts() throws {
    for shape in [[20_000_000], [2, 5_000_000], [5_000_000, 2], [3000, 3000], [100_000, 20], [20, 100, 2000]] as [Shape]
    {
      try check("\(shape)") {
        let x = try input(shape)
        return try (0..<shape.rank).flatMap { axis in
          [
            x.sum(axis: axis), x.variance(axis: axis), x.argmax(axis: axis), x.logSumExp(axis: axis),
            x.cumulativeSum(axis: axis),
            x.cumulativeProduct(axis: axis), x.argsort(axis: axis),
            try input(shape, .float16).cumulativeSum(axis: axis),
          ]
        } + [x.sum(), x.max(), x.variance()]
      }
    }
  }

  @Test func gathersAndScatters() throws {
    for (rows, count, width) in [(1000, 1_000_000, 4), (100_000, 20_000, 64), (4, 2_000_000, 1), (50_000, 50_000, 128)]
    {
      try check("\(count) of \(rows) rows of \(width)") {
        let table = try input([rows, width])
        let indices = try input([count], .int64)
        let values = try input([count, width])
        return [
          table.gathering(indices, axis: 0),
          gradients(of: (table.gathering(indices, axis: 0) * values).sum(), withRespectTo: [table])[0],
          values.segmentSum(indices, count: rows),
          table.scatterAdding(values, at: indices.expandingAxis(at: 1).broadcast(to: values.shape), axis: 0),
          table.cast(to: .float16).scatterAdding(
            values.cast(to: .float16), at: indices.expandingAxis(at: 1).broadcast(to: values.shape), axis: 0),
        ]
      }
    }
  }

  @Test func pooling() throws {
    for (image, window) in [
      ([8, 32, 128, 128], [2, 2]), ([1, 1, 2_000_000], [3]), ([2, 4, 40, 40, 40], [3, 3, 3]),
    ]
      as [(Shape, [Int])]
    {
      try check("pooling of \(image)") {
        let x = try input(image)
        return try [x.maxPooled(window), x.averagePooled(window)].flatMap { y in
          [y] + gradients(of: (y * (try input(y.shape))).sum(), withRespectTo: [x])
        }
      }
    }
  }

  @Test func sequences() throws {
    try check("LSTM") {
      let layer = LSTM(64, 128)
      let x = try input([200, 32, 64])
      let y = layer(x).output
      return [y] + gradients(of: y.squared().sum(), withRespectTo: [x])
    }
    for (queries, keys) in [(1024, 1024), (1, 50_000), (4000, 3)] {
      try check("attention of \(queries) to \(keys)") {
        let (q, k) = (try input([2, 4, queries, 32]), try input([2, 4, keys, 32]))
        let v = try input([2, 4, keys, 32])
        let y = scaledDotProductAttention(q, k, v)
        return [y] + gradients(of: (y * (try input(y.shape))).sum(), withRespectTo: [q, k, v])
      }
    }
  }
}
