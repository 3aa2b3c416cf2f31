import Apus
import ApusBenchmarks
import ApusTestSupport
import Testing

struct WorkloadTests {
  private func lines(of workload: any Workload) throws -> [JSONObject] {
    var lines: [JSONObject] = []
    let device = ComputeDevice(backend: ReferenceDevice())
    try workload.run(on: device, runs: 3) { lines.append($0.json) }
    return lines
  }

  @Test func aProductHasALineForEachTranspose() throws {
    let lines = try lines(of: Gemm("3x4x5"))
    #expect(lines.map { $0["transpose"]?.string } == ["NN", "NT", "TN"])
    for line in lines {
      #expect(line["benchmark"] == "gemm" && line["problem"] == "3x4x5" && line["dtype"] == "float32")
      #expect(line["device"] == "reference" && line["runs"] == 3)
      let (median, minimum) = (try #require(line["median_ms"]?.number), try #require(line["min_ms"]?.number))
      #expect(0 < minimum && minimum <= median)
      let rate = try #require(line["gflops"]?.number)
      #expect((rate - 2 * 3 * 4 * 5 / minimum / 1e6).magnitude < 1e-3 * rate)
    }
  }

  @Test func productsOfIntegers() throws {
    var product = try Gemm("3x4x5", transposes: [.nt])
    product.dtype = .int8
    #expect(try lines(of: product).map { $0["dtype"] } == ["int8"])
  }

  /// The size in a workload's name is the number of queries and of keys. The bytes are those of four `float32` arrays
  /// `[4, 16, size, 64]`: queries, keys, values and the result.
  @Test func attentionHasTwoSizes() throws {
    let workloads = try OpBandwidth.find("attention")
    #expect(workloads.map(\.name) == ["attention-256x256", "attention-2048x2048"])
    try workloads[0].run(on: .named("cpu"), runs: 1) { line in
      #expect(line.work == .bytes(4 * 4 * (4 * 16 * 256 * 64)))
    }
  }

  /// Each pass is counted with two operations for each multiply-add of the forward pass. This grouped convolution has
  /// 4·3·3 outputs of 1·3·3 multiply-adds each.
  @Test func aConvolutionHasALineForEachPass() throws {
    let lines = try lines(of: Conv("N1C2H5W5K4R3S3P1U2D1G2"))
    #expect(lines.map { $0["pass"]?.string } == ["forward", "input", "weight"])
    for line in lines {
      let (rate, minimum) = (try #require(line["gflops"]?.number), try #require(line["min_ms"]?.number))
      #expect((rate - Double(2 * 4 * 3 * 3 * 3 * 3) / minimum / 1e6).magnitude < 1e-3 * rate)
    }
  }

  /// `bytes` is the number of bytes that are read and written for each element of the result: 4 + 2 for a cast from
  /// `float32` to `float16`, 4 + 4 + 1 for a comparison of two `float32` matrices.
  @Test(arguments: [("to-float16-256x256", 6), ("less-256x256", 9)])
  func anOperationCountsTheBytesItReadsAndWrites(name: String, bytes: Int) throws {
    let workloads = try OpBandwidth.find(name)
    #expect(workloads.count == 1)
    let line = try #require(try lines(of: workloads[0]).first)
    let (rate, minimum) = (
      try #require(line["gbytes_per_second"]?.number), try #require(line["min_ms"]?.number)
    )
    #expect((rate - Double(bytes * 256 * 256) / minimum / 1e6).magnitude < 1e-3 * rate)
  }

  @Test func aLoaderCountsImages() throws {
    let line = try #require(try lines(of: LoaderRate.find("jpeg256-crop224")).first)
    #expect(line["benchmark"] == "loader" && line["device"] == "cpu" && line["dtype"] == "uint8")
    let (rate, minimum) = (try #require(line["images_per_second"]?.number), try #require(line["min_ms"]?.number))
    #expect((rate - 1024 / minimum * 1e3).magnitude < 1e-3 * rate)
    #expect(throws: ProblemError.self) { try LoaderRate.find("jpeg256") }
  }

  /// Every printed workload name is accepted as an argument.
  @Test func workloadNamesRoundTrip() throws {
    for name in Gemm.standardNames { #expect(try Gemm(name).name == name) }
    for name in Conv.standardNames { #expect(try Conv(name).name == name) }
    #expect(try Conv("N1C1H4W4K1R3S3").name == "N1C1H4W4K1R3S3P0U1D1G1")
    // The weights of a depthwise convolution have only one channel for each filter. Without groups, the weights of this
    // convolution would be too large.
    let channels = 1 << 20
    #expect(try Conv("N1C\(channels)H3W3K\(channels)R3S3G\(channels)").passes.count == 3)
    #expect(throws: ProblemError.self) { try Conv("N1C\(channels)H3W3K\(channels)R3S3") }
    #expect(try OpBandwidth.find("sum").map(\.name) == ["sum-256x256", "sum-4096x4096"])
    for workload in LoaderRate.all { #expect(try LoaderRate.find(workload.name).name == workload.name) }
    for workload in TrainingStep.all + TrainingStep.large {
      #expect(try TrainingStep.find(workload.name).name == workload.name)
    }
  }

  @Test(arguments: ["", "3x4", "3x4x5x6", "0x1x1", "-1x2x3", "ax1x1", "4000000000x4000000000x1", "3 x4x5"])
  func invalidProductsAreRefused(name: String) {
    #expect(throws: ProblemError.self) { try Gemm(name) }
  }

  @Test(arguments: [
    "", "N1", "N1C1H4W4K1R3S3X1", "N1N1C1H4W4K1R3S3", "N1C1H2W2K1R3S3", "N1C3H4W4K2R1S1G2", "N1C2H4W4K3R1S1G2",
    "N1C1H4W4K1R3S3U0", "N0C1H4W4K1R3S3", "N1C1H4W4K1R3S3P-1", "N1C1H4W4K1R3S3P99999999999999999999",
    "N16777216C16777216H16777216W4K1R3S3", "1C1H4W4K1R3S3",
  ])
  func invalidConvolutionsAreRefused(name: String) {
    #expect(throws: ProblemError.self) { try Conv(name) }
  }
}
