import ApusDevice

extension Backend {
  /// All backends, in the order in which devices are listed.
  static let all = linkedBackends()
}

/// Returns the list of backends. ApusBackends defines this function, and the linker finds it by its symbol. ApusTensor
/// imports no backend, so a change in a backend recompiles neither ApusTensor nor the modules that import ApusTensor.
@_silgen_name("apus_backends")
private func linkedBackends() -> [Backend]
