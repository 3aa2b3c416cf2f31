import Apus
import ApusTestSupport
import Foundation
import Testing

/// Every public layer, loss, optimizer and schedule in the sources has a conformance case, except the layers in
/// `others`.
@Suite struct CoverageTests {
  private func sources(_ folder: String) throws -> String {
    let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent().appending(path: "Sources/ApusNN/\(folder)")
    return try FileManager.default.contentsOfDirectory(at: root, includingPropertiesForKeys: nil)
      .filter { $0.pathExtension == "swift" }.map { try String(contentsOf: $0, encoding: .utf8) }.joined()
  }

  /// The public types of a folder of `Sources/ApusNN` that conform to one of the protocols.
  private func types(_ folder: String, _ protocols: Set<String>) throws -> Set<String> {
    let found = try sources(folder).matches(of: /public (?:struct|final class) (\w+)(?:<[^>]*>)?: ([\w, ]+)/).filter {
      let conformances = $0.2.split(separator: ",").map { $0.trimmingCharacters(in: .whitespaces) }
      return !protocols.isDisjoint(with: conformances)
    }
    return Set(found.map { String($0.1) })
  }

  /// The name of the value's type without generic arguments: `MaxPool` for a `MaxPool<2>`.
  private func name(_ value: Any) -> String { String("\(type(of: value))".prefix { $0 != "<" }) }

  private func check(_ kind: String, _ types: Set<String>, _ covered: Set<String>, atLeast count: Int) {
    #expect(types.count >= count, "the sources are not where they were")
    #expect(types.subtracting(covered).sorted() == [], "\(kind) without a conformance case")
    print("coverage: \(types.count) \(kind), each with a conformance case")
  }

  @Test func everyLayerHasACase() throws {
    let device = TestDevice.reference.device
    let covered = withDevice(device) {
      (ModuleCase.layers + ModuleCase.moreActivations).map { self.name($0.make()) }
    }
    // `DropoutTests` and `ModuleTests` test these types: random layers, containers, closures and `inMode`.
    let others: Set = [
      "AlphaDropout", "ChannelDropout", "Dropout", "FeatureAlphaDropout", "Function", "InMode", "Sequential",
    ]
    check("layers", try types("Layers", ["Layer", "Module", "DroppingLayer"]), others.union(covered), atLeast: 50)
  }

  @Test func everyRecurrentModuleHasACase() throws {
    let device = TestDevice.reference.device
    let covered = withDevice(device) { Set(RecurrentCase.all.map { self.name($0.make()) }) }
    check("recurrent modules", try types("Layers/Recurrent", ["Layer", "Module"]), covered, atLeast: 6)
  }

  @Test func everyKindOfAttentionHasACase() throws {
    let device = TestDevice.reference.device
    let covered = withDevice(device) { ModuleCase.attention.map { self.name($0.make()) } }
    check("kinds of attention", try types("Layers/Attention", ["Layer", "Module"]), Set(covered), atLeast: 8)
    // Cases without parameters all have the same module type, so they are found by the prefixes of their names.
    let cases = ModuleCase.attention.map(\.name)
    for prefix in ["sdpa", "rotary", "linear-biases"] { #expect(cases.contains { $0.hasPrefix(prefix) }) }
  }

  @Test func everyOptimizerHasACase() throws {
    let covered = OptimizerCase.all.map { name($0.rule) }
    check("optimizers", try types("Optimizers", ["UpdateRule", "MomentumRule"]), Set(covered), atLeast: 11)
  }

  @Test func everyScheduleHasACase() throws {
    let covered = ScheduleCase.all.map { name($0.schedule) }
    check("schedules", try types("Schedules", ["Schedule", "MetricSchedule"]), Set(covered), atLeast: 13)
  }

  @Test func everyLossHasACase() throws {
    let functions = try sources("Losses").matches(of: /(?m)^public func (\w+)/).map { String($0.1) }
    check("losses", Set(functions), Set(LossCase.all.map(\.function)), atLeast: 20)
  }
}
