import ApusTensor

/// A normalization layer that may add a shift `β` to its result.
package protocol NormalizationLayer: Layer {
  var bias: Parameter? { get }
}

extension BatchNorm: NormalizationLayer {}
extension LayerNorm: NormalizationLayer {}
extension GroupNorm: NormalizationLayer {}
extension InstanceNorm: NormalizationLayer {}

extension Module {
  /// The shifts `β` of all normalization layers inside of this module, each once.
  package var normalizationBiases: [Parameter] {
    var found: [Parameter] = []
    var classes: Set<ObjectIdentifier> = []
    func visit(_ module: any Module) {
      // An object of a class may contain itself.
      if type(of: module) is AnyClass, !classes.insert(ObjectIdentifier(module as AnyObject)).inserted { return }
      if let bias = (module as? any NormalizationLayer)?.bias, !found.contains(bias) { found.append(bias) }
      for case .module(_, let part) in module.members { visit(part) }
    }
    visit(self)
    return found
  }
}
