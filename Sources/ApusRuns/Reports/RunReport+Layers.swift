import Apus

extension RunReport {
  /// The weights: filters, and the distribution of the elements of each parameter.
  package func weights() throws -> Report.Section? {
    guard let examination else { return nil }
    let statistics = try withDevice(examination.device) { try examination.model.parameterStatistics() }
    var blocks: [Report.Block] = []
    if let filters = try withDevice(examination.device, { try filters(examination.model) }) {
      blocks.append(.figure(Report.Figure("filters", filters, isWide: true)))
    }
    let areFinite = statistics.allSatisfy { $0.nonFiniteCount == 0 }
    let table = TableChart(
      "Parameters",
      RunReport.columns("parameter", "shape") + (areFinite ? [] : [.init("not finite", isNumeric: true)]),
      statistics.map { RunReport.cells($0) + (areFinite ? [] : [$0.nonFiniteCount.grouped]) })
    blocks.append(.figure(Report.Figure("weights", table, isWide: true)))
    let matrices = statistics.filter { $0.shape.count > 1 }
    blocks.append(.details("Histograms of \(matrices.count) weights", RunReport.histograms(matrices, "weights")))
    return Report.Section("Weights", blocks)
  }

  /// The statistics of the layers' outputs for some examples.
  package func activations() throws -> Report.Section? {
    guard let examination else { return nil }
    let (statistics, count) = try withDevice(examination.device) {
      let sample = try examination.sample
      return (try examination.model.outputStatistics(for: sample), sample.shape[0])
    }
    guard !statistics.isEmpty else { return nil }
    func share(_ value: Double?) -> String { value?.percent(places: 1, space: "\u{a0}") ?? "" }
    let table = TableChart(
      "Outputs of layers",
      RunReport.columns("layer", "output") + [.init("zeros", isNumeric: true), .init("dead units", isNumeric: true)],
      statistics.map { RunReport.cells($0, skipsFirst: true) + [share($0.zeroShare), share($0.deadShare)] })
    return Report.Section(
      "Activations",
      [
        .text(
          "For \(count) \(examination.examplesName). A unit (a channel or feature) is dead if its output is 0 for "
            + "every example at every position."),
        .figure(Report.Figure("activations", table, isWide: true)),
        .details(
          "Histograms of \(statistics.count) layers", RunReport.histograms(statistics, "activations")),
      ])
  }

  private static func columns(_ name: String, _ shape: String) -> [TableChart.Column] {
    [
      .init(name), .init(shape), .init("mean", isNumeric: true), .init("std", isNumeric: true),
      .init("min", isNumeric: true), .init("max", isNumeric: true),
    ]
  }

  /// - Parameter skipsFirst: whether the first extent is the number of examples.
  private static func cells(_ statistics: ValueStatistics, skipsFirst: Bool = false) -> [String] {
    let shape = statistics.shape.dropFirst(skipsFirst ? 1 : 0)
    let numbers = [
      statistics.mean, statistics.deviation, statistics.range.lowerBound, statistics.range.upperBound,
    ]
    return [statistics.name, RunReport.extents(Array(shape))] + numbers.map { significant($0) }
  }

  /// Writes four decimal places, or one for magnitudes of 1000 or more. Magnitudes below 0.001 are written with an
  /// exponent, as `1.23e-5`.
  private static func significant(_ value: Double) -> String {
    guard value != 0, value.magnitude < 1e-3 else { return value.text(places: value.magnitude < 1000 ? 4 : 1) }
    let exponent = Int(value.magnitude.exponentOfTen)
    return "\((value / scale(exponent)).text(places: 2))e\(exponent)"
  }

  private static func scale(_ exponent: Int) -> Double { Double("1e\(exponent)") ?? 1 }

  /// Histograms side by side, at most 48 of them.
  private static func histograms(_ statistics: [ValueStatistics], _ folder: String) -> [Report.Block] {
    let shown = statistics.prefix(48).map { entry -> Report.Block in
      .figure(Report.Figure("\(folder)-\(fileName(entry.name))", entry.histogram))
    }
    return statistics.count > shown.count ? shown + [.text("The first 48 of \(statistics.count).")] : Array(shown)
  }

  /// The filters of the first convolution whose kernels are higher than one pixel, as images. Each filter has its own
  /// scale, from its smallest to its largest value.
  private func filters(_ model: any Layer) throws -> ImageGrid? {
    let entry = model.state.entries.first { $0.parameter != nil && $0.shape.rank == 4 && $0.shape[2] > 1 }
    guard let entry else { return nil }
    let shape = Array(entry.shape)
    let size = shape[1] * shape[2] * shape[3]
    let values = try entry.value.array(of: Float.self)
    let cells = (0..<min(shape[0], 96)).map { number in
      let image = Image.channels(
        values[number * size..<(number + 1) * size], count: shape[1], height: shape[2], width: shape[3])
      return ImageGrid.Cell(png: image.pngData(), caption: "\(number)")
    }
    let mean = shape[1] == 1 || shape[1] == 3 ? "" : ", mean over \(shape[1]) channels"
    return ImageGrid("Filters of \(entry.key)\(mean)", cells)
  }
}

extension Double {
  /// The exponent in scientific notation if the magnitude is below 1; otherwise 0.
  fileprivate var exponentOfTen: Double {
    var (value, exponent) = (magnitude, 0.0)
    while value > 0, value < 1 { (value, exponent) = (value * 10, exponent - 1) }
    return exponent
  }
}
