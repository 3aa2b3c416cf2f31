import ApusSystem
import Apus

extension RunReport {
  /// The section with the weights of attention layers; `nil` if no classifier of images was examined, or if it has no
  /// such layers. Attention over patches or pixels is drawn on up to four images, attention over channels as a chart.
  func attention() throws -> Report.Section? {
    guard let examination, let results = examination.results, examination.format is ImageFormat else { return nil }
    return try withDevice(examination.device) {
      let shown = Array(RunReport.examples(examination, results).prefix(4))
      let x = try examination.inputs(shown)
      let maps = AttentionMap.all(of: examination.model, on: x)
      guard !maps.isEmpty, let images = try examination.images(shown) else { return nil }
      var blocks: [Report.Block] = []
      if let positionMaps = try positionMaps(examination, maps, x, images) {
        blocks.append(.text("Attention weights, from black (smallest) through red to yellow (largest)."))
        blocks.append(.figure(Report.Figure("attention", positionMaps, isWide: true)))
      }
      if let channels = try channels(maps) {
        blocks.append(.figure(Report.Figure("attention-channels", channels, isWide: true)))
      }
      return Report.Section("Attention", blocks)
    }
  }

  /// One row of images for each example. It begins with the image itself. Copies of the image follow, each overlaid
  /// with attention weights:
  ///
  /// - for Vision Transformers, the attention rollout over all layers;
  /// - for each head of the last layer with attention over tokens, the weights from the class token to the patches;
  /// - for each of the last four layers with attention over pixels, the weights of the layer.
  private func positionMaps(
    _ examination: Examination, _ maps: [AttentionMap], _ x: Tensor, _ images: [Image]
  ) throws -> ImageGrid? {
    let (height, width) = (images[0].height, images[0].width)
    var columns: [(caption: String, values: [Float])] = []
    func add(_ caption: String, _ weights: Tensor) throws {
      let resized = weights.resized(to: [height, width])
      let least = resized.min(axes: [1, 2, 3], keepingAxes: true)
      let range = resized.max(axes: [1, 2, 3], keepingAxes: true) - least + 1e-30
      columns.append((caption, try ((resized - least) / range).array(of: Float.self)))
    }
    if let model = examination.model as? VisionTransformer {
      try add("rollout", withMode(.inference) { model.attentionRollout(x) })
    }
    if let last = maps.last(where: { $0.kind == .tokens }), let (rows, width) = last.patches(height, width) {
      for head in 0..<last.weights.shape[1] {
        let weights = last.weights.slice(axis: 1, from: head, count: 1).slice(axis: 2, from: 0, count: 1)
          .slice(axis: 3, from: 1, count: rows * width)
        try add("head \(head)", weights.reshaped(to: [images.count, 1, rows, width]))
      }
    }
    for map in maps.filter({ $0.kind == .pixels }).suffix(4) { try add(map.path, map.weights) }
    guard !columns.isEmpty else { return nil }
    let area = height * width
    let cells = images.indices.flatMap { row -> [ImageGrid.Cell] in
      [ImageGrid.Cell(png: images[row].pngData(), caption: "image")]
        + columns.map { column in
          let overlay = images[row].overlaid(with: column.values[row * area..<(row + 1) * area])
          return ImageGrid.Cell(png: overlay.pngData(), caption: column.caption)
        }
    }
    return ImageGrid("Attention", cells, columnCount: 1 + columns.count)
  }

  /// A chart with a curve for each of the last eight layers with attention over channels. A curve shows the weights of
  /// the channels, averaged over the examples, in descending order.
  private func channels(_ maps: [AttentionMap]) throws -> LineChart? {
    let series = try maps.filter { $0.kind == .channels }.suffix(8).map { map -> LineChart.Series in
      let weights = try map.weights.mean(axis: 0).array(of: Float.self).sortedArray(by: >)
      let last = Double(max(weights.count - 1, 1))
      return LineChart.Series(map.path, weights.enumerated().map { .init(x: Double($0) / last, y: Double($1)) })
    }
    guard !series.isEmpty else { return nil }
    return LineChart("Weights of channels", x: Axis("share of the channels"), y: Axis("weight"), series)
  }
}

extension AttentionMap {
  /// How many rows and columns of square patches an image has, if each token except the class token stands for one
  /// patch; `nil` if such patches do not fill the image.
  fileprivate func patches(_ height: Int, _ width: Int) -> (rows: Int, columns: Int)? {
    let count = weights.shape[3] - 1
    return (1...max(count, 1)).first { $0 * $0 * width == count * height }.map { ($0, count / $0) }
  }
}
