import ApusTensor

extension Module {
  /// The module in PyTorch's format: its type, with parameter shapes and settings in parentheses, then the modules that
  /// it contains, each on a line under its key. Consecutive equal modules are merged into one line with their count.
  /// ```text
  /// Sequential(
  ///   (0): Linear(weight: [128, 784], bias: [128])
  ///   (1): ReLU()
  /// )
  /// ```
  public var description: String { ModulePrinter(module: self).text }
}

/// Formats a module as text. The module is a stored property and not an argument of a function, because the compiler
/// would specialize such a function for each type of module.
private struct ModulePrinter {
  var module: any Module

  var text: String {
    var (settings, children): ([String], [(key: String, text: String)]) = ([], [])
    for member in module.members {
      switch member {
      case .parameter(let key, let parameter):
        settings.append("\(key): \(parameter.shape)\(parameter.isTrainable ? "" : " frozen")")
      case .statistic: break
      case .module(let key, let module): children.append((key, ModulePrinter(module: module).text))
      }
    }
    settings += Settings(of: module).texts
    let head = "\(type(of: module).typeName)(\(settings.joined(separator: ", "))"
    if children.isEmpty { return head + ")" }
    let lines = ModulePrinter.merged(children).map { "  (\($0.key)): " + $0.text.replacing("\n", with: "\n  ") }
    return head + "\n" + lines.joined(separator: "\n") + "\n)"
  }

  /// Merges consecutive numbered modules with equal text into one: `(0-5): 6 x …`.
  private static func merged(_ children: [(key: String, text: String)]) -> [(key: String, text: String)] {
    var result: [(key: String, text: String)] = []
    var index = 0
    while index < children.count {
      let (key, text) = children[index]
      var count = 1
      if let first = Int(key) {
        while index + count < children.count, children[index + count] == (String(first + count), text) { count += 1 }
      }
      result.append(count == 1 ? (key, text) : ("\(key)-\(children[index + count - 1].key)", "\(count) x \(text)"))
      index += count
    }
    return result
  }
}

/// The stored properties of a value that are numbers, Booleans, strings, element types, enumeration cases or lists of
/// these, as `name: value`.
struct Settings {
  private(set) var texts: [String] = []

  init(of value: Any) {
    for child in Mirror(reflecting: value).children {
      guard let label = child.label?.drop(while: { $0 == "_" }), !label.hasPrefix("$") else { continue }
      add(child.value, String(label))
    }
  }

  private mutating func add(_ value: Any, _ label: String) {
    if let text = Settings.text(of: value) {
      texts.append("\(label): \(text)")
    } else if !(value is any Module), !(value is Shape), Mirror(reflecting: value).displayStyle == .struct {
      // A structure of settings that several layers use, such as `Dropping` in the dropout layers.
      texts += Settings(of: value).texts
    }
  }

  private static func text(of value: Any) -> String? {
    switch value {
    case let number as Int: return "\(number)"
    case let number as Double: return "\(number)"
    case let number as Float: return "\(number)"
    case let truth as Bool: return "\(truth)"
    case let word as String: return word
    case let type as DType: return "\(type)"
    case let pair as (before: Int, after: Int):
      return pair.before == pair.after ? "\(pair.before)" : "\(pair.before)+\(pair.after)"
    default: break
    }
    let mirror = Mirror(reflecting: value)
    switch mirror.displayStyle {
    case .optional: return mirror.children.first.flatMap { text(of: $0.value) }
    case .enum where mirror.children.isEmpty: return "\(value)"
    case .collection, .tuple:
      let parts = mirror.children.map { text(of: $0.value) }
      guard !parts.isEmpty, parts.allSatisfy({ $0 != nil }) else { return nil }
      return "[" + parts.compactMap(\.self).joined(separator: ", ") + "]"
    default: return nil
    }
  }
}

extension Parameter: CustomStringConvertible {
  /// Shape, element type and values.
  public var description: String {
    "Parameter\(isTrainable ? "" : " (frozen)"): \(value.stopGradient())"
  }
}

extension Statistic: CustomStringConvertible {
  /// Shape, element type and values.
  public var description: String { "Statistic: \(value.stopGradient())" }
}

extension Optimizer: CustomStringConvertible {
  /// The rule with its settings, then a line with the number of parameters outside of groups and the number of updates
  /// so far, then a line for each group.
  /// ```text
  /// Adam(learningRate: 0.001, …)
  ///   4 parameters, step 100
  /// ```
  public var description: String {
    var settings = Settings(of: rule).texts.filter { !$0.hasPrefix("learningRate:") }
    settings.insert("learningRate: \(learningRate)", at: 0)
    if precision != .float32 {
      settings.append("precision: \(precision.productType.map { "mixed \($0)" } ?? precision.name)")
    }
    let grouped = groups.reduce(0) { $0 + $1.parameters.count }
    var lines = ["\(type(of: rule))(\(settings.joined(separator: ", ")))"]
    lines.append("  \((parameters.count - grouped).text(of: "parameter")), step \(step)")
    for (index, group) in groups.enumerated() {
      let own = Settings(of: group).texts.joined(separator: ", ")
      lines.append("  group \(index): \(group.parameters.count.text(of: "parameter"))\(own.isEmpty ? "" : ", " + own)")
    }
    return lines.joined(separator: "\n")
  }
}
