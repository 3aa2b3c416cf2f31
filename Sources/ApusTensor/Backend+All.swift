import ApusDevice

extension Backend {
  /// All backends, in the order in which devices are listed.
  static let all = linkedBackends()
}

/// The list that ApusBackends defines; the linker finds it by its symbol. ApusTensor imports no backend, so a change in
/// a backend recompiles neither ApusTensor nor the modules that import it.
@_silgen_name("apus_backends")
private func linkedBackends() -> [Backend]
