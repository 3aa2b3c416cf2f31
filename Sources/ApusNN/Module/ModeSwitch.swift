import ApusTensor
import Synchronization

/// A layer's own mode, if any, which overrides the mode of the task. Copies of the layer share it, as they share its
/// parameters.
final class ModeSwitch: Sendable {
  private let held = Mutex<Mode?>(nil)

  var mode: Mode? {
    get { held.withLock { $0 } }
    set { held.withLock { $0 = newValue } }
  }
}

extension Module {
  /// Sets a mode for layers that overrides the mode of the task from now on: for a batch norm that keeps its running
  /// statistics in a model that is trained (PyTorch's `layer.eval()` after `model.train()`), or dropout that stays
  /// active.
  /// ```swift
  /// model.setMode(.inference) { $0.hasPrefix("backbone.") }
  /// model.head.setMode(.training)
  /// ```
  /// - Parameters:
  ///   - mode: the mode, or `nil` to use the mode of the task again.
  ///   - isChosen: whether to set a module within this one, given its key, such as `layers.0.norm`. A chosen module is
  ///     set with all modules that it contains. By default this whole module is set.
  /// - Returns: the keys of the chosen modules, without the modules inside them; empty if the whole module is set.
  @discardableResult
  public func setMode(_ mode: Mode?, where isChosen: ((_ key: String) -> Bool)? = nil) -> [String] {
    guard let isChosen else {
      ApusNN.setMode(mode, of: self)
      return []
    }
    var chosen: [String] = []
    func visit(_ module: any Module, _ prefix: String) {
      for case .module(let name, let part) in module.members {
        let key = prefix + name
        if isChosen(key) {
          chosen.append(key)
          ApusNN.setMode(mode, of: part)
        } else {
          visit(part, key + ".")
        }
      }
    }
    visit(self, "")
    return chosen
  }
}

/// Sets all switches in the stored properties of a value, recursively.
private func setMode(_ mode: Mode?, of value: Any) {
  var mirror: Mirror? = Mirror(reflecting: value)
  while let current = mirror {
    for (_, part) in current.children {
      if let found = part as? ModeSwitch {
        found.mode = mode
      } else if part is any Module || Mirror(reflecting: part).displayStyle != .class {
        setMode(mode, of: part)
      }
    }
    mirror = current.superclassMirror
  }
}
