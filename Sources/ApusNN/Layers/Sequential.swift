import ApusTensor

/// Runs layers one after the other; each layer must take the shape that the layer before it gives. The key of every
/// element, including activations and closures, is its index.
///
/// ```swift
/// let model = Sequential {
///   Linear(784, 128)
///   ReLU()
///   Linear(128, 10)
/// }
/// ```
public struct Sequential: Layer {
  /// The layers, in the order in which they run.
  public let layers: [any Layer]

  /// A chain of layers.
  public init(_ layers: [any Layer]) { self.layers = layers }

  /// A chain of layers, one per line.
  public init(@SequentialBuilder _ layers: () -> [any Layer]) { self.layers = layers() }

  public var members: [ModuleMember] {
    layers.enumerated().map { .module(String($0.offset), $0.element) }
  }

  public func callAsFunction(_ x: Tensor) -> Tensor {
    if let recorder = LayerRecorder.current { return recorder.run(self, x) { run(x) } }
    return run(x)
  }

  private func run(_ x: Tensor) -> Tensor {
    var value = x
    for (index, layer) in layers.enumerated() { value = LayerTrace.run(String(index), layer, value) }
    return value
  }
}

/// Collects the layers of a `Sequential` from layers, functions, `if` and `for`.
@resultBuilder
public enum SequentialBuilder {
  /// Elements of the chain: a layer, an array of layers, or a function.
  public static func buildExpression(_ layer: any Layer) -> [any Layer] { [layer] }
  /// Elements of the chain: a layer, an array of layers, or a function.
  public static func buildExpression(_ layers: [any Layer]) -> [any Layer] { layers }
  /// Elements of the chain: a layer, an array of layers, or a function from a tensor of any shape to a tensor of any
  /// shape.
  public static func buildExpression(_ function: @escaping @Sendable (Tensor) -> Tensor) -> [any Layer] {
    [Function(function)]
  }
  /// Rejects modules that take or return more than one tensor, such as recurrent layers and attention.
  @available(*, unavailable, message: "a Sequential needs layers from tensor to tensor; call this module in a Function")
  public static func buildExpression(_ module: some Module) -> [any Layer] { [] }
  /// Concatenates elements.
  public static func buildBlock(_ parts: [any Layer]...) -> [any Layer] { parts.flatMap(\.self) }
  /// The elements of an `if`, or none.
  public static func buildOptional(_ part: [any Layer]?) -> [any Layer] { part ?? [] }
  /// One of two branches.
  public static func buildEither(first part: [any Layer]) -> [any Layer] { part }
  /// One of two branches.
  public static func buildEither(second part: [any Layer]) -> [any Layer] { part }
  /// Concatenates the elements of a `for`.
  public static func buildArray(_ parts: [[any Layer]]) -> [any Layer] { parts.flatMap(\.self) }
}

/// A closure as a layer, for any shapes: `Function { x in x * 2 }`. Without the word `Function`, Swift would parse the
/// braces as a trailing closure of the line before.
public struct Function: Layer {
  private let body: @Sendable (Tensor) -> Tensor

  /// A layer that runs `body`, which takes and returns a tensor of any shape.
  public init(_ body: @escaping @Sendable (Tensor) -> Tensor) { self.body = body }

  public var members: [ModuleMember] { [] }

  public func callAsFunction(_ x: Tensor) -> Tensor { body(x) }
}
