import ApusNN
import ApusTensor

/// What a layer of a model makes of the parts of its input: how much each channel, pixel or patch is worth.
public struct AttentionMap: Sendable {
  /// What is weighed.
  public enum Kind: String, Hashable, Sendable, CaseIterable {
    /// Channels: `[batch, channels]`, each weight in `0 … 1`.
    case channels
    /// Pixels: `[batch, 1, height, width]`, each weight in `0 … 1`.
    case pixels
    /// Tokens, by each token: `[batch, heads, tokens, tokens]`, the weights of a row add up to 1. Token 0 is that of the
    /// class, the others are patches in rows.
    case tokens
  }

  /// The keys on the way to the layer, joined by dots: `layer1.0.se`.
  public let path: String
  public let kind: Kind
  /// The weights, in the shape that `kind` says.
  public let weights: Tensor

  public init(_ path: String, _ kind: Kind, _ weights: Tensor) {
    (self.path, self.kind, self.weights) = (path, kind, weights)
  }

  /// All maps of a model in inference, in the order in which its layers run.
  ///
  /// Nothing is computed before a map is read; the model itself runs as it always does.
  /// - Parameter x: `[batch, channels, height, width]`.
  public static func all(of model: any Layer, on x: Tensor) -> [AttentionMap] {
    withMode(.inference) {
      if let layer = model as? any AttendingLayer { return layer.attention(to: x) }
      return LayerTrace.run(model, x).records.flatMap { record -> [AttentionMap] in
        guard let layer = record.layer as? any AttendingLayer else { return [] }
        return layer.attention(to: record.input).map { map in
          let parts = [record.path, map.path].filter { !$0.isEmpty }
          return AttentionMap(parts.joined(separator: "."), map.kind, map.weights)
        }
      }
    }
  }
}

/// A layer that can say what it attends to.
public protocol AttendingLayer: Layer {
  /// The maps of an input, under paths from the layer on.
  func attention(to x: Tensor) -> [AttentionMap]
}
