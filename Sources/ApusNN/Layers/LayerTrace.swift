import ApusTensor

/// The layers that run in a call of a model, with their inputs and outputs.
///
/// ```swift
/// struct Block: Layer {
///   let conv1 = Conv2d(1, 4, kernel: 3, padding: 1)
///   let conv2 = Conv2d(4, 4, kernel: 3, padding: 1)
///   let pool = MaxPool2d(2)
///
///   func callAsFunction(_ x: Tensor) -> Tensor {
///     let y = conv2(conv1(x).relu())
///     return LayerTrace.run("pool", pool, y)
///   }
/// }
/// let model = Sequential {
///   Block()
///   Flatten()
///   Linear(64, 10)
/// }
/// let trace = withMode(.inference) { LayerTrace(of: model, on: images) }
/// for record in trace.layers { print(record.path, record.output.shape) }
/// // 0.conv1 [2, 4, 8, 8]
/// // 0.conv2 [2, 4, 8, 8]
/// // 0.pool [2, 4, 4, 4]
/// // 1 [2, 64]
/// // 2 [2, 10]
/// ```
///
/// Layers of the library that have parameters, and the elements of a `Sequential`, are recorded without further code,
/// even inside of your own modules. Layers without parameters (pooling, dropout, activations) and your own modules are
/// recorded if they run through `LayerTrace.run(_:_:_:)`. Attention, Transformer and recurrent layers are one record
/// each.
public struct LayerTrace: Sendable {
  /// One run of a layer.
  public struct Record: Sendable {
    /// The name of the layer in the model, as in the keys of `state`: `layer1.0.conv1`.
    ///
    /// If a layer runs through `LayerTrace.run(_:_:_:)`, its path is the path of the recorded module around the layer,
    /// followed by the given key. All other layers are found by their parameters: a shared layer has the first of its
    /// names, and a layer that is not a member of the model has the name of the recorded module around it.
    public var path: String
    /// The layer that was called.
    public var layer: any Module
    /// The first input, of any shape.
    public var input: Tensor
    /// The result, in the shape that the layer gives; of a recurrent layer, the outputs of all time steps.
    public var output: Tensor
    /// Whether the layer contains other recorded layers. In `records` these come before the layer.
    public var isContainer: Bool

    /// The name of the layer's type.
    public var type: String { Swift.type(of: layer).typeName }
  }

  /// All records, in the order in which the layers finished. A model without recorded layers is recorded itself, with
  /// an empty path.
  public let records: [Record]
  /// The output of the model, in the shape that it gives.
  public let output: Tensor

  /// The records of layers that contain no other recorded layer, in the order in which they ran.
  public var layers: [Record] { records.filter { !$0.isContainer } }

  /// Runs a model in the current mode. Nothing is evaluated.
  ///
  /// - Parameter input: the model's input, in the shape that the model takes.
  public init(of model: any Layer, on input: Tensor) {
    let (runs, output) = LayerRecorder.recording(model) { model(input) }
    let names = ModuleNames(of: model)
    let records = runs.compactMap { $0.isInsideLeaf ? nil : Record($0, names) }
    self.records =
      records.isEmpty ? [Record(path: "", layer: model, input: input, output: output, isContainer: false)] : records
    self.output = output
  }

  /// Runs a member of a module, so that a trace records it and reports of anomalies name it.
  ///
  /// - Parameters:
  ///   - key: the key of the member in the module, for example `conv1`.
  ///   - module: the member.
  ///   - input: the input of the member, in the shape that the member takes.
  ///   - body: runs the member.
  /// - Returns: the result of `body`.
  public static func run(
    _ key: @autoclosure () -> String, _ module: any Module, _ input: Tensor, _ body: (Tensor) -> Tensor
  ) -> Tensor {
    guard let recorder = LayerRecorder.current else {
      return namingOperations(after: (key(), type(of: module).typeName)) { body(input) }
    }
    return recorder.run(module, key: key(), input) { body(input) }
  }

  /// Runs a layer that is a member of a module, so that a trace records it and reports of anomalies name it.
  ///
  /// - Parameters:
  ///   - key: the key of the member in the module, for example `conv1`.
  ///   - layer: the member.
  ///   - input: the input of the member, in the shape that the member takes.
  /// - Returns: the result of the layer.
  public static func run(_ key: @autoclosure () -> String, _ layer: any Layer, _ input: Tensor) -> Tensor {
    run(key(), layer, input) { layer($0) }
  }

  /// Runs the computation of a layer whose inner layers are not recorded on their own. While no trace is active in the
  /// process, the additional cost is one load.
  @inline(__always) package static func leaf<M: Module>(
    _ module: M, _ input: Tensor, _ body: () -> Tensor
  ) -> Tensor {
    LayerRecorder.current?.run(module, isLeaf: true, input, body) ?? body()
  }

  /// Like the other `leaf`, for a recurrent layer: the computation also returns the layer's state.
  @inline(__always) static func leaf<M: Module, State>(
    _ module: M, _ input: Tensor, _ body: () -> (output: Tensor, state: State)
  ) -> (output: Tensor, state: State) {
    LayerRecorder.current?.run(module, isLeaf: true, input, body) { $0.output } ?? body()
  }
}

extension LayerTrace.Record {
  fileprivate init(_ run: LayerRecorder.Run, _ names: ModuleNames) {
    self.init(
      path: names.path(of: run), layer: run.module, input: run.input, output: run.output, isContainer: run.isContainer)
  }
}

/// The names of the modules in a model. A module is found by its parameters and statistics, since layers are structs
/// and have no identity of their own.
private struct ModuleNames {
  private var paths: [ModuleIdentity: String] = [:]
  private var classes: Set<ObjectIdentifier> = []

  init(of model: any Module) { collect(model, "") }

  private mutating func collect(_ module: any Module, _ path: String) {
    // An object of a class may contain itself.
    if type(of: module) is AnyClass, !classes.insert(ObjectIdentifier(module as AnyObject)).inserted { return }
    if let identity = ModuleIdentity(module), paths[identity] == nil { paths[identity] = path }
    for case .module(let key, let inner) in module.members { collect(inner, path.isEmpty ? key : "\(path).\(key)") }
  }

  func path(of run: LayerRecorder.Run) -> String {
    run.frames.reduce("") { path, frame in
      if let key = frame.key { return path.isEmpty ? key : "\(path).\(key)" }
      return ModuleIdentity(frame.module).flatMap { paths[$0] } ?? path
    }
  }
}
