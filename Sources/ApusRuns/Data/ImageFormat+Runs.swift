import Apus

extension ImageFormat: DataFormat {
  public static var key: String { "images" }

  public static func serves(_ settings: RunSettings) -> Bool {
    if case .images = settings.model.kind { !settings.isTable } else { false }
  }

  public var outputs: ModelOutputs { .classes(classNames) }
  public var examplesName: String { "images" }
  public var summary: String { "images of \(size.map(String.init).joined(separator: "x"))" }

  public func input(_ settings: RunSettings) -> ModelSummary.Input { ModelSummary.Input(size) }

  public static func load(
    _ settings: RunSettings, tokenizer: (any Tokenizer)?,
    willLoad: (_ format: any DataFormat, _ count: Int) throws -> Void
  ) throws -> LearningTask {
    let network = try settings.imageNetwork()
    let data = try ImageDataset.load(settings.data, split: settings.dataSettings.split)
      .limitingTraining(to: settings.dataSettings.trainCount, seed: settings.dataSettings.split.seed)
    guard !data.test.labels.isEmpty else {
      throw OptionError("--test-share 0: \(settings.data) has no other images to test with")
    }
    // This call comes before the statistics are computed, because they may need the pixels of thousands of files.
    try willLoad(ImageFormat.planned(data, settings, network), data.train.labels.count)
    let format = try ImageFormat.reading(data, settings, network)
    var task = LearningTask(
      format: format, train: try format.trainingExamples(data.train, settings),
      test: format.examples(data.test, settings.image),
      validation: data.validation.map { format.examples($0, settings.image) }, labels: data.train.labels)
    if !settings.image.augmentation.isEmpty { task.plainTrain = { format.examples(data.train, settings.image) } }
    return task
  }

  public func model(_ settings: RunSettings) throws -> any Layer {
    try settings.imageNetwork().classifier(
      input: size, classes: classNames.count, outputs: outputCount(settings), stem: settings.image.stem)
  }

  /// The number of outputs of the last layer: the value of `--classes`, else the number of classes. `nil` for
  /// `--layers` without `--classes`: the last layer then has as many units as `--layers` says.
  private func outputCount(_ settings: RunSettings) -> Int? {
    settings.classes ?? (settings.hasOwnLayers ? nil : classNames.count)
  }

  public func checkMemory(_ settings: RunSettings, rule: any UpdateRule) throws {
    let network = try settings.imageNetwork()
    if network.layers != nil {
      return try network.checkMemory(input: size, outputs: outputCount(settings), rule: rule)
    }
    try ModelDescription.checkMemory(parameters: model(settings).parameterCount, rule: rule)
  }

  public func plannedExamples(
    _ count: Int, _ settings: RunSettings, upload: PlannedExamples.Upload
  ) -> (inputs: Tensor, targets: Tensor) {
    (statistics.standardizing(upload(Shape([count] + size), .uint8)), upload([count], .int32))
  }

  public func examples(_ request: DataRequest, _ settings: RunSettings) throws -> MeasuredData {
    let (source, own) = (request.source, settings.dataSettings)
    let data: ImageDataset
    if request.part == .all {
      data = try ImageDataset.load(source, split: SplitOptions(test: 0))
    } else {
      data = try ImageDataset.load(source, split: own.split).limitingTraining(to: own.trainCount, seed: own.split.seed)
    }
    try check(data.imageSize, source)
    let (part, chosen) = try request.choose { part -> (any ImageSource)? in
      switch part {
      case .train: data.train
      case .validation: data.validation
      case .test: data.test
      case .all: data.all
      }
    }
    let images = try chosen.renumbered(data.classNames, classNames, source)
    return MeasuredData(
      source: source, part: part, examples: examples(images, settings.image),
      names: images.labels.indices.map { images.name(of: $0) }, format: self)
  }

  public func predict(
    _ files: [String], _ settings: RunSettings, threshold: Double?, model: () throws -> any Layer,
    _ body: (FilePrediction) throws -> Void
  ) throws {
    let sets = try ImageFiles.grouped(files, for: self)
    let model = settings.image.testTimeAugmentation.layer(try model())
    for set in sets {
      let examples = fitting(set.images).examples(set.images, settings.image)
      let runner = ModelRunner(model: model, count: examples.count) { try examples.examples($0).inputs }
      try runner.predictClasses(threshold: threshold) { prediction in
        try body(FilePrediction(set.location(of: prediction.index), prediction, name: className(prediction.label)))
      }
    }
  }
}

extension RunSettings {
  /// The network of a model that takes images or rows of tables.
  func imageNetwork() throws(ModelError) -> ImageNetwork {
    if case .images(let network) = model.kind { return network }
    throw .misfit("\(model.name) does not take images or rows")
  }
}

extension Module {
  /// The number of elements of all parameters. Their values are not computed.
  var parameterCount: Int { parameters.reduce(0) { $0 + $1.shape.elementCount } }
}

extension ImageSource {
  /// The images, with the class indices of the model. If `names` and `known` have no name in common (for example
  /// because the names of one list are numbers), and the model has enough classes, the indices stay as they are.
  /// - Parameters:
  ///   - names: the names of the images' classes.
  ///   - known: the names of the model's classes.
  /// - Throws: `DataError.unsupported` if the model lacks a class of the images.
  func renumbered(
    _ names: [String], _ known: [String], _ source: String
  ) throws(DataError) -> any ImageSource {
    if names == known || names.count <= known.count && Set(names).isDisjoint(with: known) { return self }
    return RenumberedImages(self, try numbers(of: names, known, source))
  }
}
