import Apus

extension RunSettings {
  /// The model and an input of it, as far as the settings and the list of data sets tell without any data; `nil` where
  /// the number of classes is that of files.
  func expectedModel() throws -> (any Layer, ModelSummary.Input)? {
    guard case .images(let network) = model.kind else { return (try model.exampleModel(), model.exampleInput()) }
    let description = try DatasetDescription.find(data).description
    guard hasOwnLayers || classes ?? description.classNames?.count != nil else { return nil }
    let own = description.imageSize
    // Of pictures that differ in size it says what becomes of them.
    guard let reading = try? ImageReading(image, for: network, own: own, source: data) else { return nil }
    let outputs = classes ?? (hasOwnLayers ? nil : description.classNames?.count)
    let made = try network.model(input: reading.size, classes: outputs, stem: image.stem)
    return (made, ModelSummary.Input(reading.size))
  }
}
