import Apus

extension RunSettings {
  /// The model, and the shape and type of one of its inputs, determined from the settings and the list of data sets
  /// without reading data. `nil` if the number of classes or the size of the inputs depends on files.
  func expectedModel() throws -> (any Layer, ModelSummary.Input)? {
    guard case .images(let network) = model.kind else { return (try model.exampleModel(), model.exampleInput()) }
    let description = try DatasetDescription.find(data).description
    guard hasOwnLayers || classes ?? description.classNames?.count != nil else { return nil }
    let own = description.imageSize
    // If images differ in size, the settings determine the size of inputs.
    guard let reading = try? ImageReading(image, for: network, own: own, source: data) else { return nil }
    let outputs = classes ?? (hasOwnLayers ? nil : description.classNames?.count)
    let made = try network.model(input: reading.size, classes: outputs, stem: image.stem)
    return (made, ModelSummary.Input(reading.size))
  }
}
