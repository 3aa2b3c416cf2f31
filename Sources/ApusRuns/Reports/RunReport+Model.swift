import Apus

extension RunReport {
  /// The layers as a table and as a graph.
  package func model() throws -> Report.Section? {
    // A model for tables depends on the number of features, which only a checkpoint contains.
    if stored == nil, record.settings.isTable { return nil }
    let found = try withDevice(.named("cpu")) { () throws -> (any Layer, ModelSummary.Input)? in
      if let stored {
        return (try stored.settings.makeModel(for: stored.format), stored.format.input(stored.settings))
      }
      return try record.settings.expectedModel()
    }
    guard let (network, input) = found else { return nil }
    // No tensor is evaluated: the device is needed only to create tensors.
    return try withDevice(.named("cpu")) { () throws in
      let summary = try ModelSummary(of: network, input: input)
      let whole = try ModelGraph("Graph", of: network, input: input.extents, dtype: input.dtype)
      let graph = whole.grouped(limit: 40)
      var blocks: [Report.Block] = [
        .text(RunReport.sentence(of: summary)),
        .figure(Report.Figure("layers", RunReport.table(of: summary))),
        .figure(Report.Figure("graph", graph)),
      ]
      if graph.nodes.count < whole.nodes.count {
        blocks.append(.details("All \(whole.nodes.count) layers", [.figure(Report.Figure("graph-of-all", whole))]))
      }
      return Report.Section("Model", blocks)
    }
  }

  /// `6 × 28 × 28`, with non-breaking spaces.
  package static func extents(_ extents: [Int]) -> String {
    extents.map(String.init).joined(separator: "\u{a0}×\u{a0}")
  }

  private static func sentence(of summary: ModelSummary) -> String {
    let frozen = summary.frozenCount > 0 ? ", \(summary.frozenCount.grouped) of them frozen" : ""
    return "\((summary.trainableCount + summary.frozenCount).grouped) parameters\(frozen), "
      + "\(summary.multiplyAccumulates.grouped) multiply-accumulate operations and "
      + "\(summary.activationByteCount.byteText) of activations for one example."
  }

  private static func table(of summary: ModelSummary) -> TableChart {
    TableChart(
      "Layers",
      [
        .init("layer"), .init("type"), .init("output"), .init("parameters", isNumeric: true),
        .init("operations", isNumeric: true),
      ],
      summary.rows.map { row in
        [
          row.path, row.type, extents(row.output), row.parameterCount.grouped,
          row.multiplyAccumulates.grouped,
        ]
      })
  }
}
