import Apus

/// The data that a trained model is measured with.
struct MeasuredData {
  var test: any ExampleSource
  /// What the test examples are called; `nil` for numbers.
  var names: [String]?
  /// The model's format, with what it says of this source.
  var format: DataFormat
  /// The training part, which goes to the device when it is asked for.
  var train: () throws -> any ExampleSource
}

extension DataFormat {
  /// The classes' names, by number; a model may have more outputs.
  var classNames: [String] {
    switch self {
    case .images(let format): format.classNames
    case .text(let format): format.classNames ?? []
    case .table(let format): format.classNames
    }
  }

  /// The name of a class, else its number.
  func className(_ number: Int) -> String {
    let names = classNames
    return number < names.count ? names[number] : String(number)
  }
}

extension DataFormat {
  /// What an example is called, of several.
  var examplesName: String {
    switch self {
    case .images: "images"
    case .text(let format): format.classNames == nil ? "windows" : "texts"
    case .table: "rows"
    }
  }

  /// Whether classes are predicted.
  var isClassifier: Bool {
    switch self {
    case .images: true
    case .text(let format): format.classNames != nil
    case .table(let format): format.kind == .classification
    }
  }

  /// What a model that predicts no classes is: `a language model`.
  var modelName: String { if case .table = self { "a model of numbers" } else { "a language model" } }

  /// What is minimized and measured, with all classes alike.
  var objective: Objective {
    switch self {
    case .images: .classification
    case .text(let format): format.classNames == nil ? .tokens : .classification
    case .table(let format): format.kind == .classification ? .classification : .regression
    }
  }
}
