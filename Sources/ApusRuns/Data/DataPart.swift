import Apus
import ApusSystem

/// One split of a data source, or all of its examples.
public enum DataPart: String, CaseIterable, Sendable {
  case train
  case validation
  case test
  case all

  /// The number and the name of examples of the split: `1,000 validation images`.
  package func examples(_ count: Int, _ name: String) -> String {
    let own = self == .all ? "" : "\(self == .train ? "training" : rawValue) "
    return "\(count.grouped) \(own)\(name)"
  }

  /// The key of a measure on these examples: `test_loss` for `.test`, `loss` for `.all`.
  package func key(_ measure: String) -> String { self == .all ? measure : "\(rawValue)_\(measure)" }

  /// The title of a measure on these examples: `test loss` for `.test`, `loss` for `.all`.
  package func title(_ measure: String) -> String { self == .all ? measure : "\(rawValue) \(measure)" }
}

/// The keys that several commands use in their JSON output.
package enum ResultKey {
  /// The index of a class.
  package static let label = "label"
  /// The name of a class: the true class of an example if it is known, otherwise the predicted class.
  package static let className = "class"
  /// The name of the predicted class of an example.
  package static let predictedClass = "predicted_class"
  /// The number of examples.
  package static let examples = "examples"
  /// The split of the data.
  package static let part = "part"
  /// The number of images that could not be read.
  package static let skipped = "skipped_images"
}

/// Images that could not be read. Training replaces them by other images, evaluation leaves them out.
package struct SkippedImageReport {
  /// The number of images; `nil` if unreadable images are an error.
  package let count: Int?
  private let sources: [UnreadableImages]

  package init(of parts: [any ExampleSource], _ settings: ImageSettings) {
    sources = parts.compactMap { ($0 as? StreamedImages)?.unreadable }
    count = settings.skipsBad ? sources.reduce(0) { $0 + $1.count } : nil
  }

  /// The rows for a table of results.
  package var rows: [(String, String)] {
    count.map { [("skipped", "\($0.text(of: "image")) that could not be read")] } ?? []
  }

  /// Writes the errors of the first skipped images, and the number of further ones, to standard error.
  package func report() {
    for skipped in sources where skipped.count > 0 {
      for image in skipped.first { Diagnostics.write("skipped: \(image.error)") }
      if skipped.count > skipped.first.count { Diagnostics.write("and \(skipped.count - skipped.first.count) more") }
    }
  }
}
