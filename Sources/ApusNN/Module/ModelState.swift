import ApusTensor

/// The parameters and statistics (PyTorch: buffers) of a model under their keys. A shared parameter is listed once,
/// under the first of its keys.
///
/// Create a `ModelState` once, not in every step: creation reads the `members` of all modules, and by default
/// reflection finds the members.
public struct ModelState: Sendable {
  /// A parameter or statistic.
  public struct Entry: Sendable {
    /// The name under which the value is stored; for the library's layers the same as in PyTorch.
    public let key: String
    /// The parameter, or `nil` for a statistic.
    public let parameter: Parameter?
    let box: ValueBox

    /// The current value, of the shape `shape` and the type `dtype`.
    public var value: Tensor { box.value }
    /// The extents.
    public var shape: Shape { box.shape }
    /// The type of the elements, which `Module.convert(to:)` changes.
    public var dtype: DType { box.dtype }
    /// The size of the value in bytes.
    public var byteCount: Int { shape.byteCount(of: dtype) }

    /// Replaces the value.
    /// - Precondition: the new value has the shape and type of the old one.
    public func assign(_ value: Tensor) { box.assign(value) }
  }

  /// All entries, in declaration order.
  public private(set) var entries: [Entry] = []
  /// The additional keys of shared values, mapped to the keys under which they are listed.
  public private(set) var aliases: [String: String] = [:]

  /// Lists all parameters and statistics of a model: those in the `members` of its modules.
  public init(of model: any Module) {
    var listed: [ObjectIdentifier: String] = [:]
    var path: [ObjectIdentifier] = []
    collect(model, prefix: "", &listed, &path)
  }

  /// All parameters, trainable and frozen.
  public var parameters: [Parameter] { entries.compactMap(\.parameter) }

  private mutating func collect(
    _ module: any Module, prefix: String, _ listed: inout [ObjectIdentifier: String],
    _ path: inout [ObjectIdentifier]
  ) {
    // A module that contains itself, directly or through other modules, is visited once.
    let identity = type(of: module) is AnyClass ? ObjectIdentifier(module as AnyObject) : nil
    if let identity {
      guard !path.contains(identity) else { return }
      path.append(identity)
    }
    defer { if identity != nil { path.removeLast() } }
    for member in module.members {
      switch member {
      case .parameter(let key, let parameter):
        add(Entry(key: prefix + key, parameter: parameter, box: parameter.box), &listed)
      case .statistic(let key, let statistic):
        add(Entry(key: prefix + key, parameter: nil, box: statistic.box), &listed)
      case .module(let key, let module):
        collect(module, prefix: "\(prefix)\(key).", &listed, &path)
      }
    }
  }

  private mutating func add(_ entry: Entry, _ listed: inout [ObjectIdentifier: String]) {
    let identity = ObjectIdentifier(entry.box)
    if let first = listed[identity] {
      aliases[entry.key] = first
    } else {
      listed[identity] = entry.key
      entries.append(entry)
    }
  }
}

extension Module {
  /// Parameters and statistics under their keys.
  public var state: ModelState { ModelState(of: self) }

  /// The parameters, each once, in declaration order.
  public var parameters: [Parameter] { state.parameters }
}
