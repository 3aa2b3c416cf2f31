import Apus

extension RunReport {
  /// The saliency, Grad-CAM and feature maps of some images; `nil` if no classifier of images was examined.
  func saliencyAndFeatureMaps() throws -> Report.Section? {
    guard let examination, let results = examination.results, examination.format is ImageFormat else { return nil }
    return try withDevice(examination.device) {
      let shown = RunReport.examples(examination, results)
      guard let images = try examination.images(shown) else { return nil }
      var blocks: [Report.Block] = [
        .text(
          "Saliency is the gradient of the score of the predicted class with respect to each pixel. Grad-CAM shows the "
            + "regions of the image whose features in the last convolution increase this score.")
      ]
      blocks.append(.figure(Report.Figure("saliency", try maps(examination, results, shown, images), isWide: true)))
      blocks += try featureMaps(examination, shown[0])
      return Report.Section("Saliency and feature maps", blocks)
    }
  }

  /// Up to four correctly predicted examples of different classes, then up to four misclassified ones.
  package static func examples(_ examination: Examination, _ results: ClassificationResults) -> [Int] {
    var (right, seen): ([Int], Set<Int32>) = ([], [])
    for (example, label) in results.labels.enumerated() where right.count < 4 {
      if label == results.predicted[example], seen.insert(label).inserted { right.append(example) }
    }
    return right + examination.misclassified.prefix(4)
  }

  /// A row for each example: the image, its saliency, and its Grad-CAM if the model has a convolution.
  private func maps(
    _ examination: Examination, _ results: ClassificationResults, _ shown: [Int], _ images: [Image]
  ) throws -> ImageGrid {
    let x = try examination.inputs(shown)
    let (height, width) = (images[0].height, images[0].width)
    let saliency = try normalized(examination.model.saliency(of: x)).array(of: Float.self)
    let cam = try examination.model.gradCAM(of: x).map { map -> [Float] in
      let resized = map.expandingAxis(at: 1).resized(to: [height, width])
      return try normalized(resized).array(of: Float.self)
    }
    let area = height * width
    var cells: [ImageGrid.Cell] = []
    for (row, example) in shown.enumerated() {
      let caption = RunReport.caption(examination, results, example)
      let range = row * area..<(row + 1) * area
      cells.append(ImageGrid.Cell(png: images[row].pngData(), caption: caption))
      cells.append(
        ImageGrid.Cell(
          png: Image.shades(of: saliency[range], height: height, width: width).pngData(), caption: "saliency"))
      if let cam {
        cells.append(ImageGrid.Cell(png: images[row].overlaid(with: cam[range]).pngData(), caption: "Grad-CAM"))
      }
    }
    return ImageGrid("Saliency and Grad-CAM", cells, columnCount: cam == nil ? 2 : 3)
  }

  /// Divides the map of each example by the maximum of the map. `maps` is `[batch, …]`; the results are in `0 ... 1`.
  private func normalized(_ maps: Tensor) -> Tensor {
    let axes = Array(1..<maps.rank)
    return maps / (maps.max(axes: axes, keepingAxes: true) + 1e-30)
  }

  /// For one example, images of the first 32 output channels of each of the first six convolutions.
  private func featureMaps(_ examination: Examination, _ example: Int) throws -> [Report.Block] {
    let input = try examination.inputs([example])
    let layers = withMode(.inference) { LayerTrace(of: examination.model, on: input).layers }
    let convolutions = layers.filter { $0.layer is Conv2d && $0.output.rank == 4 }
    let blocks = try convolutions.prefix(6).map { layer -> Report.Block in
      let shape = Array(layer.output.shape)
      let values = try layer.output.array(of: Float.self)
      let area = shape[2] * shape[3]
      let cells = (0..<min(shape[1], 32)).map { channel in
        let map = values[channel * area..<(channel + 1) * area]
        return ImageGrid.Cell(
          png: Image.shades(of: map, height: shape[2], width: shape[3]).pngData(), caption: "\(channel)")
      }
      let more = shape[1] > cells.count ? ", the first \(cells.count) of \(shape[1])" : ""
      let grid = ImageGrid("Feature maps of \(layer.path)\(more)", cells)
      return .figure(Report.Figure("feature-maps-\(RunReport.fileName(layer.path))", grid, isWide: true))
    }
    return blocks.isEmpty ? [] : [.details("Feature maps of the first example", blocks)]
  }
}
