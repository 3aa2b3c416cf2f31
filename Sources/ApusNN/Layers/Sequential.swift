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
  public let layers: [any Layer]

  public init(_ layers: [any Layer]) { self.layers = layers }

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
  public static func buildExpression(_ layer: any Layer) -> [any Layer] { [layer] }
  public static func buildExpression(_ layers: [any Layer]) -> [any Layer] { layers }
  public static func buildExpression(_ function: @escaping @Sendable (Tensor) -> Tensor) -> [any Layer] {
    [Function(function)]
  }
  public static func buildBlock(_ parts: [any Layer]...) -> [any Layer] { parts.flatMap(\.self) }
  public static func buildOptional(_ part: [any Layer]?) -> [any Layer] { part ?? [] }
  public static func buildEither(first part: [any Layer]) -> [any Layer] { part }
  public static func buildEither(second part: [any Layer]) -> [any Layer] { part }
  public static func buildArray(_ parts: [[any Layer]]) -> [any Layer] { parts.flatMap(\.self) }
}

/// A closure as a layer: `Function { x in x * 2 }`. Its name keeps Swift from taking the braces for a part of the
/// line before.
public struct Function: Layer {
  private let body: @Sendable (Tensor) -> Tensor

  public init(_ body: @escaping @Sendable (Tensor) -> Tensor) { self.body = body }

  public var members: [ModuleMember] { [] }

  public func callAsFunction(_ x: Tensor) -> Tensor { body(x) }
}
