import ApusTensor

/// Layers one after the other. Every element takes an index in the keys, activations and closures too.
///
/// ```
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

  /// A chain of layers, one on a line.
  public init(@SequentialBuilder _ layers: () -> [any Layer]) { self.layers = layers() }

  public var members: [ModuleMember] {
    layers.enumerated().map { .module(String($0.offset), $0.element) }
  }

  public func callAsFunction(_ x: Tensor) -> Tensor {
    var value = x
    if let trace = LayerTrace.current {
      for (index, layer) in layers.enumerated() { value = trace.record(String(index), layer, value) }
    } else {
      for (index, layer) in layers.enumerated() {
        value = namingOperations(after: (String(index), type(of: layer).typeName)) { layer(value) }
      }
    }
    return value
  }
}

/// Collects the layers of a `Sequential`: layers, functions, `if`, `for`.
@resultBuilder
public enum SequentialBuilder {
  /// A part of the chain: a layer, layers, or a function.
  public static func buildExpression(_ layer: any Layer) -> [any Layer] { [layer] }
  /// A part of the chain: a layer, layers, or a function.
  public static func buildExpression(_ layers: [any Layer]) -> [any Layer] { layers }
  /// A part of the chain: a layer, layers, or a function.
  public static func buildExpression(_ function: @escaping @Sendable (Tensor) -> Tensor) -> [any Layer] {
    [Function(function)]
  }
  /// Modules that take or give more than one tensor, such as recurrent layers and attention, are no part of a chain.
  @available(*, unavailable, message: "chains take layers from a tensor to a tensor: call it in a Function")
  public static func buildExpression(_ module: some Module) -> [any Layer] { [] }
  /// Parts one after the other.
  public static func buildBlock(_ parts: [any Layer]...) -> [any Layer] { parts.flatMap(\.self) }
  /// The part of an `if`, or nothing.
  public static func buildOptional(_ part: [any Layer]?) -> [any Layer] { part ?? [] }
  /// One of two branches.
  public static func buildEither(first part: [any Layer]) -> [any Layer] { part }
  /// One of two branches.
  public static func buildEither(second part: [any Layer]) -> [any Layer] { part }
  /// The parts of a `for`.
  public static func buildArray(_ parts: [[any Layer]]) -> [any Layer] { parts.flatMap(\.self) }
}

/// A closure as a layer: `Function { x in x * 2 }`. Its name keeps Swift from taking the braces for a part of the
/// line before.
public struct Function: Layer {
  private let body: @Sendable (Tensor) -> Tensor

  /// A layer that runs `body`.
  public init(_ body: @escaping @Sendable (Tensor) -> Tensor) { self.body = body }

  public var members: [ModuleMember] { [] }

  public func callAsFunction(_ x: Tensor) -> Tensor { body(x) }
}
