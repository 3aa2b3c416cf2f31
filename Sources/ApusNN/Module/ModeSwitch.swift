import ApusTensor
import Synchronization

/// The mode that a layer keeps whatever the mode of the task, if it has one. Copies of the layer share it, as they share
/// its parameters.
final class ModeSwitch: Sendable {
  private let held = Mutex<Mode?>(nil)

  var mode: Mode? {
    get { held.withLock { $0 } }
    set { held.withLock { $0 = newValue } }
  }
}

extension Module {
  /// Has layers keep a mode of their own from now on, whatever the mode of the task: a batch norm that keeps its running
  /// values in a model that is trained (PyTorch's `layer.eval()` behind `model.train()`), or dropout that stays on.
  /// ```
  /// model.setMode(.inference) { $0.hasPrefix("backbone.") }
  /// model.head.setMode(.training)
  /// ```
  /// - Parameters:
  ///   - mode: `nil` for that of the task again.
  ///   - isChosen: takes the key of a module within this one, such as `layers.0.norm`. A chosen module is set with all
  ///     that it holds. This module as a whole, when left out.
  /// - Returns: the keys of the chosen modules; those within a chosen one are not among them.
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

/// Sets all switches in the stored properties of a value and of what it holds.
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
