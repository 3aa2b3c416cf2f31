import Apus
import ApusTestSupport
import Foundation

/// A page with every kind of chart, with sizes and names that are hard to display.
enum Gallery {
  static let hostile =
    "<script>alert(1)</script> & \"quotes\" ' \u{202e}\u{0} 漢字 🦜 \(String(repeating: "long ", count: 20))"

  static func points(_ count: Int, _ body: (Double) -> Double) -> [LineChart.Point] {
    (0..<count).map { LineChart.Point(x: Double($0 + 1), y: body(Double($0 + 1))) }
  }

  static let lines: [(name: String, chart: LineChart)] = [
    (
      "three-points",
      LineChart(
        "Three epochs", x: Axis("epoch", isInteger: true), y: Axis("loss", unit: "nats"),
        [
          LineChart.Series("training", points(3) { 2 / $0 }), LineChart.Series("test", points(3) { 2.2 / $0 + 0.05 }),
        ])
    ),
    (
      "many-points",
      LineChart(
        "A hundred thousand steps", x: Axis("step", isInteger: true), y: Axis("loss", isLogarithmic: true),
        [
          LineChart.Series(
            "every step",
            points(100_000) { exp(-$0 / 20_000) * (0.6 + Samples.noise(Int($0))) + ($0 == 50_000 ? 40 : 0) },
            smoothing: .exponential(0.999))
        ])
    ),
    (
      "gaps",
      LineChart(
        "Gaps, a constant, infinities", x: Axis("step"), y: Axis("value"),
        [
          LineChart.Series("with gaps", points(30) { Int($0) % 7 == 0 ? .nan : sin($0 / 4) }),
          LineChart.Series("constant", points(30) { _ in 0.5 }),
          LineChart.Series("infinite", points(30) { $0 > 20 ? .infinity : $0 / 20 }),
        ])
    ),
    (
      "nine-lines",
      LineChart(
        "Nine lines with long names", x: Axis("false positives", range: 0...1), y: Axis("true positives", range: 0...1),
        (1...9).map { number in
          LineChart.Series(
            number == 3 ? hostile : "class number \(number)",
            (0...50).map { LineChart.Point(x: Double($0) / 50, y: pow(Double($0) / 50, 1 / Double(number + 1))) })
        }, hasIdentityLine: true)
    ),
    ("no-points", LineChart("Nothing yet", x: Axis("epoch"), y: Axis("loss"), [])),
    (
      "tiny-values",
      LineChart(
        "A rate", x: Axis("step", isInteger: true), y: Axis("learning rate"),
        [LineChart.Series("rate", points(400) { 1e-4 * (1 + cos($0 / 400 * .pi)) / 2 })])
    ),
  ]

  static func confusion(_ count: Int, _ name: (Int) -> String) -> HeatMap {
    let counts = (0..<count * count).map { index -> Int in
      let (row, column) = index.quotientAndRemainder(dividingBy: count)
      if row == column { return 800 + Int(200 * Samples.noise(index)) }
      return Samples.noise(index + 7) < 0.35 ? Int(pow(Samples.noise(index), 6) * 160) : 0
    }
    return .confusion("Confusion matrix of \(count) classes", counts: counts, classes: (0..<count).map(name))
  }

  static let clothes = [
    "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot",
  ]

  static let scatters: [ScatterChart] = [
    ScatterChart(
      "Predictions", x: Axis("target"), y: Axis("prediction"),
      [
        ScatterChart.Series(
          "test",
          (0..<400).map { .init(x: Samples.noise($0) * 50, y: Samples.noise($0) * 50 + Samples.noise($0 + 999) * 8) })
      ],
      hasIdentityLine: true),
    ScatterChart(
      "Residuals of 100,000 examples", x: Axis("prediction"), y: Axis("residual"),
      [
        ScatterChart.Series(
          "training",
          (0..<100_000).map {
            .init(
              x: Samples.noise($0) * 50,
              y: (Samples.noise($0 + 31) + Samples.noise($0 + 63) - 1) * (1 + Samples.noise($0) * 4))
          }
        ),
        ScatterChart.Series("test", [.init(x: 25, y: 9), .init(x: .nan, y: 1)]),
      ]),
  ]

  /// Layers with a residual link, a branch and links of a dense block.
  static let graph = ModelGraph(
    "Residual and dense links", input: [3, 32, 32],
    [
      .init(type: "Conv2d", path: "conv1", output: [64, 32, 32], parameterCount: 1728, sources: [-1]),
      .init(
        type: "Conv2d", path: "layer1.0.conv1", output: [64, 32, 32], parameterCount: 36_864, sources: [0],
        operations: ["relu"]),
      .init(type: "Conv2d", path: "layer1.0.conv2", output: [64, 32, 32], parameterCount: 36_864, sources: [1]),
      .init(
        type: "Conv2d", path: "layer1.0.downsample", output: [64, 32, 32], parameterCount: 4096, sources: [0]),
      .init(
        type: "BatchNorm", path: "layer1.0.norm", output: [64, 32, 32], parameterCount: 128, sources: [2, 3],
        operations: ["add"]),
      .init(type: "DenseLayer", path: "block.0", output: [32, 32, 32], parameterCount: 9000, sources: [4]),
      .init(
        type: "DenseLayer", path: "block.1", output: [32, 32, 32], parameterCount: 9900, sources: [4, 5],
        operations: ["concatenate"]),
      .init(
        type: "DenseLayer", path: "block.2", output: [32, 32, 32], parameterCount: 9900, sources: [4, 5, 6],
        operations: ["concatenate"]),
      .init(
        type: hostile, path: "classifier." + hostile, output: [10], parameterCount: 1_000_010, sources: [4, 5, 6, 7],
        operations: ["mean"]),
    ])

  static let table = TableChart(
    "Layers", [.init("layer"), .init("type"), .init("output"), .init("parameters", isNumeric: true)],
    [["features.0", "Conv2d", "6 × 28 × 28", "156"], [hostile, "Linear", "10", "1,000,000"], ["short"]])

  static let bars = BarChart(
    "F1 of each class", along: Axis("F1", range: 0...1),
    clothes.enumerated().map { .init(name: $0.element, value: 0.7 + 0.3 * Samples.noise($0.offset), label: nil) }
      + [.init(name: hostile, value: .nan)])

  static var report: Report {
    let halves = lines.map { Report.Block.figure(Report.Figure($0.name, $0.chart, note: "A note below \($0.name).")) }
    return Report(
      "Gallery \(hostile)", subtitle: "Every kind of chart",
      facts: [
        .init(name: "test accuracy", value: "0.9871"), .init(name: "test loss", value: "0.0412"),
        .init(name: "epochs", value: "3"), .init(name: "parameters", value: "61,706"),
        .init(name: hostile, value: String(hostile.prefix(40))),
      ],
      sections: [
        Report.Section("Lines", halves + [.figure(Report.Figure("wide", lines[1].chart, isWide: true))]),
        Report.Section(
          "Scatter and bars",
          [
            .figure(Report.Figure("predictions", scatters[0])), .figure(Report.Figure("residuals", scatters[1])),
            .figure(
              Report.Figure(
                "histogram",
                Histogram(
                  "Weights", x: Axis("value"),
                  of: (0..<5000).map { Samples.noise($0) + Samples.noise($0 + 9) - Samples.noise($0 + 5) })
              )),
            .figure(Report.Figure("bars", bars)),
          ]),
        Report.Section(
          hostile,
          [
            .figure(Report.Figure("confusion-10", confusion(10) { clothes[$0] })),
            .figure(Report.Figure("confusion-3", confusion(3) { [hostile, "b", "c"][$0] })),
            .figure(Report.Figure("confusion-100", confusion(100) { "class number \($0)" }, isWide: true)),
          ]),
        Report.Section(
          "Model", [.figure(Report.Figure("graph", graph)), .figure(Report.Figure("table", table))]),
        Report.Section("Pictures", pictures),
      ])
  }

  static var pictures: [Report.Block] {
    let cells = (0..<14).map { ImageGrid.Cell(png: Samples.checkerboard, caption: $0 == 2 ? hostile : "filter \($0)") }
    return [
      .figure(Report.Figure("filters", ImageGrid("Filters", cells))),
      .figure(Report.Figure("rows", ImageGrid("Rows of three", Array(cells.prefix(6)), columnCount: 3))),
      .details("More", [.text("A paragraph with \(hostile)"), .figure(Report.Figure("more", table))]),
    ]
  }
}
