import ApusNN
import ApusTensor

/// The attention of a layer of a model: the weight of each channel, pixel or token of the layer's input.
public struct AttentionMap: Sendable {
  /// The elements that have weights.
  public enum Kind: String, Hashable, Sendable, CaseIterable {
    /// Channels: `[batch, channels]`, each weight in `0 … 1`.
    case channels
    /// Pixels: `[batch, 1, height, width]`, each weight in `0 … 1`.
    case pixels
    /// Tokens attended to by each token: `[batch, heads, tokens, tokens]`, each row with a sum of 1. Token 0 is the
    /// class token, the others are the patches in row-major order.
    case tokens
  }

  /// The name of the layer in the model, as in a `LayerTrace`: `layer1.0.se`.
  public let path: String
  public let kind: Kind
  /// The weights, in the shape described by `kind`.
  public let weights: Tensor

  /// A map of a layer; `weights` has the shape described by `kind`.
  public init(_ path: String, _ kind: Kind, _ weights: Tensor) {
    (self.path, self.kind, self.weights) = (path, kind, weights)
  }

  /// All maps of a model in inference mode, in the order in which its layers run.
  ///
  /// Nothing is evaluated before a map is read. The model itself is not changed.
  /// - Parameter x: `[batch, channels, height, width]`.
  public static func all(of model: any Layer, on x: Tensor) -> [AttentionMap] {
    withMode(.inference) {
      if let layer = model as? any AttendingLayer { return layer.attention(to: x) }
      return LayerTrace(of: model, on: x).records.flatMap { record -> [AttentionMap] in
        guard let layer = record.layer as? any AttendingLayer else { return [] }
        return layer.attention(to: record.input).map { map in
          let parts = [record.path, map.path].filter { !$0.isEmpty }
          return AttentionMap(parts.joined(separator: "."), map.kind, map.weights)
        }
      }
    }
  }
}

/// A layer that can return its attention.
public protocol AttendingLayer: Layer {
  /// The attention maps for an input, with paths relative to the layer, in the shapes that their kinds describe.
  /// - Parameter x: an input of the layer, `[batch, channels, height, width]` or `[batch, tokens, width]`.
  func attention(to x: Tensor) -> [AttentionMap]
}
