import Apus

extension RunReport {
  /// The curves of the loss, the other metrics, the learning rate and the time.
  package func curves() -> Report.Section? {
    let metrics = record.metrics
    guard !metrics.records.isEmpty else {
      return Report.Section("Training", [.text("The run has written no metrics yet.")])
    }
    var blocks: [Report.Block] = [.figure(Report.Figure("loss", loss, isWide: true))]
    for (name, keys) in measures {
      let chart = LineChart(
        RunReport.words(name), x: Axis("epoch", isInteger: true), y: axis(of: name),
        keys.map { LineChart.Series($0.part, metrics.points($0.key, over: "epoch")) })
      blocks.append(.figure(Report.Figure(RunReport.fileName(name), chart)))
    }
    let rate = metrics.points("learning_rate")
    if !rate.isEmpty {
      let chart = LineChart(
        "Learning rate", x: Axis("step", isInteger: true), y: Axis("learning rate", range: 0...0),
        [LineChart.Series("learning rate", rate)])
      blocks.append(.figure(Report.Figure("learning-rate", chart)))
    }
    if let seconds { blocks.append(.figure(Report.Figure("seconds", seconds))) }
    for key in others {
      let chart = LineChart(
        RunReport.words(key), x: Axis("epoch", isInteger: true), y: Axis(RunReport.words(key)),
        [LineChart.Series(key, metrics.points(key, over: "epoch"))])
      blocks.append(.figure(Report.Figure(RunReport.fileName(key), chart)))
    }
    return Report.Section("Training", blocks)
  }

  /// The training loss, averaged over windows of consecutive steps, and the loss of each split in each epoch.
  private var loss: LineChart {
    let metrics = record.metrics
    let windows = metrics.points("loss")
    var series: [LineChart.Series] = []
    if windows.count > 1 {
      // An exponential average over about 1/25 of the run: the average reduces the noise, and lags behind the loss by
      // only a small part of the curve.
      let window = Double(windows.count) / 25
      let smoothing: Smoothing? = window >= 2 ? .exponential(1 - 1 / window) : nil
      series.append(LineChart.Series("training, by step", windows, smoothing: smoothing))
    }
    for part in ["train", "test", "validation"] {
      let points = metrics.points("\(part)_loss")
      if !points.isEmpty { series.append(LineChart.Series("\(RunReport.part(part)), by epoch", points)) }
    }
    let values = series.flatMap(\.points).map(\.y).filter { $0.isFinite && $0 > 0 }
    // On a linear axis, a loss that falls by orders of magnitude would be a line at the bottom.
    let isWide = (values.max() ?? 1) > 50 * (values.min() ?? 1)
    return LineChart(
      "Loss", x: Axis("step", isInteger: true), y: Axis("loss", isLogarithmic: isWide), series)
  }

  /// The metrics, without the loss, that were measured on at least one split of the data. The keys `train_accuracy` and
  /// `test_accuracy`, for example, belong to the metric `accuracy`.
  private var measures: [(name: String, keys: [(part: String, key: String)])] {
    var found: [(name: String, keys: [(part: String, key: String)])] = []
    for key in record.metrics.keys {
      for part in ["train", "test", "validation"] where key.hasPrefix("\(part)_") {
        let name = String(key.dropFirst(part.count + 1))
        guard name != "loss" else { continue }
        let entry = (part: RunReport.part(part), key: key)
        if let index = found.firstIndex(where: { $0.name == name }) {
          found[index].keys.append(entry)
        } else {
          found.append((name, [entry]))
        }
      }
    }
    return found
  }

  /// The keys of the remaining metrics, which belong to no split of the data and are not drawn by another chart.
  private var others: [String] {
    let known: Set<String> = ["step", "epoch", "loss", "learning_rate", "seconds", "epoch_seconds"]
    return record.metrics.keys.filter { key in
      !known.contains(key) && !["train_", "test_", "validation_"].contains { key.hasPrefix($0) }
    }
  }

  /// The time of each epoch, including its evaluation.
  private var seconds: LineChart? {
    let durations = record.metrics.points("epoch_seconds", over: "epoch")
    guard !durations.isEmpty else { return nil }
    return LineChart(
      "Time of an epoch", x: Axis("epoch", isInteger: true), y: Axis("time", unit: "s", range: 0...0),
      [LineChart.Series("time", durations)])
  }

  private func axis(of name: String) -> Axis {
    let values = record.metrics.keys.filter { $0.hasSuffix("_\(name)") }
      .flatMap { record.metrics.points($0, over: "epoch").map(\.y) }
    let isShare = name.contains("accuracy") && values.allSatisfy { (0...1).contains($0) } && (values.min() ?? 0) < 0.5
    return Axis(RunReport.words(name).lowercased(), range: isShare ? 0...1 : nil)
  }

  private static func part(_ key: String) -> String { key == "train" ? "training" : key }

  /// `top5_accuracy` becomes `Top5 accuracy`.
  package static func words(_ key: String) -> String {
    let text = key.replacing("_", with: " ")
    return text.prefix(1).uppercased() + text.dropFirst()
  }

  /// Converts a text to a file name of letters, digits and hyphens.
  static func fileName(_ text: String) -> String {
    let name = text.lowercased().map { $0.isASCII && ($0.isLetter || $0.isNumber) ? $0 : "-" }
    return String(name.prefix(60))
  }
}
