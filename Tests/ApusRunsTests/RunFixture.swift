import Apus
import ApusRuns
import ApusTestSupport

/// A folder for runs, and the settings of short runs of an MLP on synthetic images.
struct RunFixture {
  let scratch: ScratchDirectory
  private let defaults: JSONObject

  init(steps: Int, trainCount: Int) throws {
    scratch = try ScratchDirectory()
    defaults = [
      "data": "synthetic", "batch_size": 500, "steps": .integer(steps), "seed": 4,
      "train_count": .integer(trainCount),
    ]
  }

  /// The settings of a run: the defaults, some of which `options` replaces.
  func settings(_ options: JSONObject = [:]) throws -> RunSettings {
    var all = defaults
    for (key, value) in options { all[key] = value }
    return try RunSettings("mlp", all)
  }
}
