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
    }
  }

  /// The name of a class, else its number.
  func className(_ number: Int) -> String {
    let names = classNames
    return number < names.count ? names[number] : String(number)
  }
}

extension ModelDescription.Kind {
  /// What an example is called, of several.
  var examplesName: String {
    switch self {
    case .images: "images"
    case .language: "windows"
    case .texts: "texts"
    }
  }

  var isClassifier: Bool { if case .language = self { false } else { true } }
}
