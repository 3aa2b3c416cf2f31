import Apus

/// A part of the data of a run, or of others.
enum DataPart: String, CaseIterable, Sendable {
  case train
  case validation
  case test
  case all

  /// What examples of the part are called: `1,000 validation images`.
  func examples(_ count: Int, _ name: String) -> String {
    let own = self == .all ? "" : "\(self == .train ? "training" : rawValue) "
    return "\(count.grouped) \(own)\(name)"
  }

  /// The key of a measure: `test_loss`, of all examples `loss`.
  func key(_ measure: String) -> String { self == .all ? measure : "\(rawValue)_\(measure)" }

  /// What a measure is called: `test loss`, of all examples `loss`.
  func title(_ measure: String) -> String { self == .all ? measure : "\(rawValue) \(measure)" }
}

/// The keys that commands share in what they print as JSON.
enum ResultKey {
  /// The number of a class.
  static let label = "label"
  /// The name of a class: of an example the true one, where the model is told what that is, else the predicted one.
  static let className = "class"
  /// The name of the class that an example is taken for.
  static let predictedClass = "predicted_class"
  /// The number of examples.
  static let examples = "examples"
  /// The part of the data that they are.
  static let part = "part"
  /// The number of pictures that could not be read and were left out.
  static let skipped = "skipped_images"
}

/// Pictures that could not be read, and were left out.
struct SkippedPictures {
  /// How many; `nil` where none may be.
  let count: Int?
  private let sources: [SkippedImages]

  init(of parts: [any ExampleSource], _ settings: ImageSettings) {
    sources = parts.compactMap { ($0 as? StreamedImages)?.skipped }
    count = settings.skipsBad ? sources.reduce(0) { $0 + $1.count } : nil
  }

  /// What is said of them beside other results.
  var rows: [(String, String)] {
    count.map { [("skipped", "\($0.grouped) \($0 == 1 ? "picture" : "pictures") that could not be read")] } ?? []
  }

  /// Names the first of them.
  func report() {
    for skipped in sources where skipped.count > 0 {
      for image in skipped.first { Diagnostics.write("skipped: \(image.error)") }
      if skipped.count > skipped.first.count { Diagnostics.write("and \(skipped.count - skipped.first.count) more") }
    }
  }
}
