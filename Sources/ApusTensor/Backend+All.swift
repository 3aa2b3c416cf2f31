import ApusDevice

extension Backend {
  /// All backends, in the order in which devices are listed.
  static let all = linkedBackends()
}

/// The list that ApusBackends defines. The linker connects both modules: this one imports no backend, so a change in a
/// backend does not compile it and the modules above again.
@_silgen_name("apus_backends")
private func linkedBackends() -> [Backend]
