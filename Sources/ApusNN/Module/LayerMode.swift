import ApusTensor

/// The identity of a layer that depends on the mode. Copies of the layer share it, as they share its parameters.
final class LayerIdentity: Sendable {}

/// Runs `body` with a mode for the chosen layers. This mode overrides every `withMode(_:_:)` around or inside the call.
/// A batch norm, for example, can keep its running statistics while the model is trained (PyTorch's `layer.eval()`
/// after `model.train()`), and a dropout can stay active in inference. If nested calls of this function choose the same
/// layer, the innermost call sets its mode.
/// ```swift
/// let y = withMode(.inference, of: model, where: { $0.hasPrefix("backbone.") }) {
///   withMode(.training) { model(x) }
/// }
/// ```
/// - Parameters:
///   - mode: whether the layers train or infer.
///   - module: the module that contains the layers.
///   - isChosen: whether to choose a module within `module`, given its key, such as `layers.0.norm`. All modules inside
///     a chosen module are chosen too. By default `module` is chosen.
/// - Precondition: at least one module is chosen.
public func withMode<R>(
  _ mode: Mode, of module: any Module, where isChosen: ((_ key: String) -> Bool)? = nil, _ body: () throws -> R
) rethrows -> R {
  var layers = ModeScope.ofLayers
  for part in isChosen.map(module.parts) ?? [module] { setMode(mode, of: part, in: &layers) }
  return try ModeScope.$ofLayers.withValue(layers, operation: body)
}

extension Module {
  /// The outermost modules within this one that `isChosen` chooses: the modules inside a chosen one are not listed.
  fileprivate func parts(where isChosen: (_ key: String) -> Bool) -> [any Module] {
    var chosen: [any Module] = []
    func visit(_ module: any Module, _ prefix: String) {
      for case .module(let name, let part) in module.members {
        let key = prefix + name
        if isChosen(key) { chosen.append(part) } else { visit(part, key + ".") }
      }
    }
    visit(self, "")
    guard !chosen.isEmpty else { fatalError("withMode: no module of \(type(of: self)) is chosen") }
    return chosen
  }
}

/// Sets the mode of all layers in the stored properties of a value, recursively. Class instances that are not modules
/// are not searched.
private func setMode(_ mode: Mode, of value: Any, in layers: inout [ObjectIdentifier: Mode]) {
  var mirror: Mirror? = Mirror(reflecting: value)
  while let current = mirror {
    for (_, part) in current.children {
      if let layer = part as? LayerIdentity {
        layers[ObjectIdentifier(layer)] = mode
      } else if part is any Module || Mirror(reflecting: part).displayStyle != .class {
        setMode(mode, of: part, in: &layers)
      }
    }
    mirror = current.superclassMirror
  }
}
