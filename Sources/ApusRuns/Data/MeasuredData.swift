import Apus
import ApusSystem

/// The examples on which a trained model is measured.
public struct MeasuredData {
  /// The name of the data source.
  public var source: String
  /// The split of the source from which the examples come.
  public var part: DataPart
  /// The examples, as inputs and targets of the model.
  public var examples: any ExampleSource
  /// The names of the examples; `nil` if they are only numbered.
  public var names: [String]?
  /// The model's format. For a language model, it contains the number of tokens per character of these examples.
  public var format: any DataFormat
  /// For a table, its columns except the target, and the row of each example; `nil` for other data.
  package var table: (features: Table, rows: [Int32])?
}

extension MeasuredData {
  /// Creates measured data from their parts.
  public init(
    source: String, part: DataPart, examples: any ExampleSource, names: [String]? = nil, format: any DataFormat
  ) {
    self.init(source: source, part: part, examples: examples, names: names, format: format, table: nil)
  }
}

extension Run {
  /// Returns the examples of a source, in the format that the model requires.
  ///
  /// - Parameters:
  ///   - source: the source; `nil` for the source of the run.
  ///   - part: the split; `nil` for the validation split, or the test split if there is no validation split. If another
  ///     source than the run's has no splits, such as a file, `nil` selects all examples.
  public func data(of source: String? = nil, part: DataPart? = nil) throws -> MeasuredData {
    guard let source else {
      return try explainingMissingData(of: settings, in: checkpoint.path, advice: "--data and --part") {
        try data(ofSource: settings.data, part: part)
      }
    }
    return try data(ofSource: source, part: part)
  }

  private func data(ofSource source: String, part: DataPart?) throws -> MeasuredData {
    var part = part
    if try !DatasetDescription.hasFixedSplits(source) {
      if try isOwn(source) {
        if part != .train && part != .all { warnIfChanged() }
      } else if part == nil {
        part = .all
      }
    }
    return try format.examples(DataRequest(source: source, part: part), settings)
  }

  /// Warns if the run's data have changed since the run was trained: they are then split differently, and the held-out
  /// examples may include examples that the model was trained with. The method compares the number of training
  /// examples, and for a table also the format. It does not compare pixel statistics, which would need all images.
  private func warnIfChanged() {
    struct Enough: Error {}
    var isChanged = false
    do {
      _ = try type(of: format).load(settings, tokenizer: (format as? TextFormat)?.tokenizer) { current, count in
        isChanged =
          count != checkpoint.state.exampleCount || (current is TableFormat && !current.isEqual(to: format))
        throw Enough()
      }
    } catch {
      // `Enough` ends the loading after the comparison. Other errors are reported when the examples are read.
    }
    guard isChanged else { return }
    Diagnostics.write(
      "warning: \(settings.data.printable()) has changed since \(checkpoint.path.printable()) was trained: "
        + "the held-out examples may include examples that the model was trained with")
  }

  /// The examples that the model was trained with, without augmentation.
  func trainingData() throws -> any ExampleSource { try data(part: .train).examples }

  /// Whether a source names the data of the run. Two paths of one file or folder are the same source.
  func isOwn(_ source: String) throws -> Bool {
    if source == settings.data { return true }
    let (one, other) = (try DatasetDescription.find(source), try DatasetDescription.find(settings.data))
    guard one.description.name == other.description.name, let path = one.argument, let own = other.argument,
      let canonical = try? FileSystem.canonicalPath(path)
    else { return false }
    return canonical == (try? FileSystem.canonicalPath(own))
  }
}

/// A request for examples.
public struct DataRequest: Sendable {
  /// The name of the data source.
  public let source: String
  /// The split; `nil` for the validation split, or the test split if there is no validation split.
  public let part: DataPart?

  /// Returns the requested split and the examples of this split.
  /// - Parameter examples: returns the examples of a split; `nil` if there is no such split.
  /// - Throws: `OptionError` if the split does not exist.
  public func choose<Examples>(_ examples: (DataPart) -> Examples?) throws(OptionError) -> (DataPart, Examples) {
    let chosen = part ?? (examples(.validation) == nil ? .test : .validation)
    guard let found = examples(chosen) else {
      let advice = chosen == .test ? "" : "; use --part test"
      throw OptionError("--part \(chosen.rawValue): the run holds out no such part of \(source)\(advice)")
    }
    return (chosen, found)
  }
}
