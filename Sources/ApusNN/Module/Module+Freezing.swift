import ApusTensor

extension Module {
  /// Freezes the parameters whose keys `isChosen` accepts: they get no gradients, and optimizers do not change them.
  /// The mode of layers does not change: in training, a frozen batch norm uses the statistics of the batch and updates
  /// its running statistics, unless `withMode(_:of:where:_:)` sets it to inference.
  /// ```swift
  /// model.freeze { !$0.hasPrefix("fc.") }
  /// ```
  /// - Parameter isChosen: receives a key as in `state`; by default all parameters are chosen. A shared parameter has
  ///   several keys and is chosen if one of them is accepted.
  /// - Returns: the keys of the chosen parameters.
  @discardableResult
  public func freeze(where isChosen: (_ name: String) -> Bool = { _ in true }) -> [String] {
    setTrainable(false, isChosen)
  }

  /// Unfreezes the parameters whose keys `isChosen` accepts.
  /// - Parameter isChosen: receives a key as in `state`; by default all parameters are chosen. A shared parameter is
  ///   chosen if one of its keys is accepted.
  /// - Returns: the keys of the chosen parameters.
  @discardableResult
  public func unfreeze(where isChosen: (_ name: String) -> Bool = { _ in true }) -> [String] {
    setTrainable(true, isChosen)
  }

  private func setTrainable(_ isTrainable: Bool, _ isChosen: (String) -> Bool) -> [String] {
    let state = state
    let aliases = Dictionary(grouping: state.aliases.keys) { state.aliases[$0]! }
    return state.entries.compactMap { entry in
      guard let parameter = entry.parameter, ([entry.key] + (aliases[entry.key] ?? [])).contains(where: isChosen) else {
        return nil
      }
      parameter.isTrainable = isTrainable
      return entry.key
    }
  }

  /// Copies the values of all parameters and statistics from a model of the same structure, for example into a target
  /// network. Later updates of one model do not change the other.
  ///
  /// - Throws: if the models are on different devices and copying between them fails.
  /// - Precondition: both models have the same keys with the same shapes.
  public func load(from other: some Module) throws(DeviceError) {
    let (own, given) = (state, other.state)
    let values = Dictionary(uniqueKeysWithValues: given.entries.map { ($0.key, $0.value) })
    let unknown = given.entries.first { entry in !own.entries.contains { $0.key == entry.key } }
    if let unknown { fatalError("load: \(Self.typeName) has no \(unknown.key), which \(type(of: other).typeName) has") }
    for entry in own.entries {
      guard let value = values[entry.key] else {
        fatalError("load: \(type(of: other).typeName) has no \(entry.key), which \(Self.typeName) has")
      }
      guard value.shape == entry.shape else {
        fatalError("load: \(entry.key) has shape \(value.shape), not \(entry.shape)")
      }
    }
    for entry in own.entries {
      let value = values[entry.key]!.stopGradient().cast(to: entry.dtype)
      entry.assign(try value.moved(to: entry.value.device))
    }
  }
}
