import ApusSystem
import ApusTensor

/// A model or a component of one: a struct or final class whose stored properties are parameters, statistics (PyTorch's
/// buffers) and other modules.
///
/// Reflection finds the members of a module and names them after its properties, as in PyTorch's state dictionaries:
/// `lowerCamelCase` becomes `snake_case`, array elements are named by their index, and levels are joined by dots
/// (`encoder.layers.0.running_mean`). A module with other names implements `members`.
public protocol Module: Sendable, CustomStringConvertible {
  /// The members of the module, with their keys.
  var members: [ModuleMember] { get }

  /// The name of the type in summaries.
  static var typeName: String { get }
}

/// A module from one tensor to one tensor, as used in `Sequential`.
public protocol Layer: Module {
  /// The result for an input. The documentation of each layer gives the shapes of input and result.
  func callAsFunction(_ x: Tensor) -> Tensor
}

/// A member of a module with its key.
public enum ModuleMember: Sendable {
  case parameter(String, Parameter)
  case statistic(String, Statistic)
  case module(String, any Module)
}

extension Module {
  public var members: [ModuleMember] { reflectedMembers(of: self) }

  public static var typeName: String { String(describing: Self.self) }
}

/// The parameters, statistics and modules in the stored properties of a value, keyed by the properties' names.
func reflectedMembers(of value: Any) -> [ModuleMember] {
  var members: [ModuleMember] = []
  var mirror: Mirror? = Mirror(reflecting: value)
  while let current = mirror {
    let own = current.children.flatMap { child in
      collect(child.value, key: child.label.map(snakeCase) ?? "")
    }
    members = own + members
    mirror = current.superclassMirror
  }
  return members
}

private func collect(_ value: Any, key: String) -> [ModuleMember] {
  switch value {
  case let parameter as Parameter: return [.parameter(key, parameter)]
  case let statistic as Statistic: return [.statistic(key, statistic)]
  case let module as any Module: return [.module(key, module)]
  default: break
  }
  let mirror = Mirror(reflecting: value)
  switch mirror.displayStyle {
  case .optional:
    return mirror.children.first.map { collect($0.value, key: key) } ?? []
  case .collection, .tuple:
    return mirror.children.enumerated().flatMap { index, child in
      let label = child.label.flatMap { $0.hasPrefix(".") ? nil : snakeCase($0) } ?? String(index)
      return collect(child.value, key: "\(key).\(label)")
    }
  case .dictionary:
    let entries = mirror.children.map { Array(Mirror(reflecting: $0.value).children) }
    return entries.filter { $0.count == 2 }
      .sortedArray { "\($0[0].value)" < "\($1[0].value)" }
      .flatMap { collect($0[1].value, key: "\(key).\($0[0].value)") }
  default:
    return []
  }
}

/// Converts `runningMean` to `running_mean` and drops leading underscores.
func snakeCase(_ name: String) -> String {
  var result = ""
  for character in name.drop(while: { $0 == "_" }) {
    if character.isUppercase {
      result += "_" + character.lowercased()
    } else {
      result.append(character)
    }
  }
  return result
}
