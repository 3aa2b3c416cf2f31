import ApusSystem
import ApusTensor

/// A chain of layers, as written on a command line:
/// `conv 6 5x5 pad 2, relu, pool 2, conv 16 5x5, relu, pool 2, flatten, dense 120, relu, dense 10`.
///
/// ```text
/// list  = layer { "," layer }
/// layer = ("residual" | "concat") "(" list { "|" list } ")"
///       | "conv" FILTERS SIZE { "stride" SIZE | "pad" SIZE | "pad" "same" | "dilation" SIZE
///                             | "groups" N | "no-bias" }
///       | ("pool" | "avgpool") SIZE { "stride" SIZE | "pad" SIZE }
///       | "globalpool" | "dense" UNITS { "no-bias" } | "flatten" | "batchnorm" | "dropout" RATE
///       | "rows" | ("rnn" | "lstm" | "gru") UNITS { "layers" N | "both" | "all" | "no-bias" }
///       | "relu" | "tanh" | "sigmoid" | …
/// SIZE  = N | HEIGHT "x" WIDTH
/// ```
/// `rows` converts an image to the sequence of its rows. A recurrent layer with `both` runs in both directions; with
/// `all` it returns the states of all time steps, not only the last state.
///
/// The list describes the layers and has no tensors. `stages(for:)` computes the shapes of the layers for an input.
public struct LayerList: Hashable, Sendable {
  /// A height and a width.
  public struct Size: Hashable, Sendable {
    /// The extent of the vertical axis.
    public var height: Int
    /// The extent of the horizontal axis.
    public var width: Int

    public init(_ height: Int, _ width: Int) {
      self.height = height
      self.width = width
    }
  }

  /// A convolution over height and width.
  public struct Convolution: Hashable, Sendable {
    /// The number of output channels.
    public var filters: Int
    /// The size of the filters.
    public var kernel: Size
    /// The distance between adjacent windows.
    public var stride = Size(1, 1)
    /// The number of zeros on each side; `nil` for the number that preserves height and width.
    public var padding: Size? = Size(0, 0)
    /// The distance, in the input, between adjacent elements of a filter.
    public var dilation = Size(1, 1)
    /// The number of independent groups of channels.
    public var groups = 1
    /// Whether a bias is added.
    public var hasBias = true

    /// `padding`; if `padding` is `nil`, the number of zeros that preserves height and width at stride 1:
    /// `dilation · (kernel − 1) / 2`.
    public var resolvedPadding: Size { padding ?? Size(shrinkage.height / 2, shrinkage.width / 2) }

    /// The difference between the sizes of the input and of the output without padding, at stride 1.
    var shrinkage: Size {
      Size(
        WindowPositions.span(kernel: kernel.height, dilation: dilation.height) - 1,
        WindowPositions.span(kernel: kernel.width, dilation: dilation.width) - 1)
    }
  }

  /// A pooling over height and width.
  public struct Pooling: Hashable, Sendable {
    /// What is computed from a window.
    public enum Kind: Hashable, Sendable { case maximum, average }

    public var kind: Kind
    /// The height and width of a window, in elements.
    public var window: Size
    /// The distance between adjacent windows.
    public var stride: Size
    /// The number of elements added on each side.
    public var padding = Size(0, 0)
  }

  /// A recurrent layer over a sequence `[time, features]`.
  public struct Recurrent: Hashable, Sendable {
    /// The kind of cell.
    public enum Kind: String, Hashable, Sendable, CaseIterable { case rnn, lstm, gru }

    public var kind: Kind
    /// The size of the state.
    public var units: Int
    /// The number of stacked layers.
    public var layers = 1
    /// Whether each layer also runs backward in time.
    public var isBidirectional = false
    /// Whether the layer returns the states of all time steps, not only the last.
    public var givesAll = false
    /// Whether a bias is added.
    public var hasBias = true

    public init(_ kind: Kind, units: Int) {
      self.kind = kind
      self.units = units
    }

    /// The size of the output at a time step.
    public var outputCount: Int { units * (isBidirectional ? 2 : 1) }
  }

  /// Branches with the same input, whose outputs are combined.
  public struct Link: Hashable, Sendable {
    /// How the outputs are combined.
    public enum Kind: String, Hashable, Sendable, CaseIterable {
      /// The sum of the outputs.
      case residual
      /// Concatenation along the channels or features.
      case concat
    }

    public var kind: Kind
    /// The branches. With a single branch the input itself is the other branch.
    public var branches: [LayerList]

    public init(_ kind: Kind, _ branches: [LayerList]) {
      self.kind = kind
      self.branches = branches
    }
  }

  /// Elementwise functions, by their name in the grammar.
  public enum Activation: String, Hashable, Sendable, CaseIterable {
    case relu, sigmoid, tanh, gelu, silu, elu, selu, softplus
    case leakyRelu = "leaky-relu"
  }

  /// A layer of the list, with its settings.
  public enum Layer: Hashable, Sendable {
    case convolution(Convolution)
    case pooling(Pooling)
    /// The mean over height and width.
    case globalPooling
    case dense(units: Int, hasBias: Bool)
    case flatten
    case batchNorm
    case dropout(rate: Double)
    /// Converts an image to the sequence of its rows, `[height, channels · width]`.
    case rows
    case recurrent(Recurrent)
    case activation(Activation)
    case link(Link)
  }

  /// The layers, in the order in which they run.
  public var layers: [Layer]

  public init(_ layers: [Layer]) { self.layers = layers }
}

/// An error in the grammar of a layer list, or a layer that does not fit its input.
public struct LayerListError: Error, Hashable, Sendable {
  /// Whether the text cannot be parsed or the layers do not fit.
  public enum Kind: Hashable, Sendable {
    /// The text is not a layer list.
    case grammar
    /// The layers do not fit each other or the input.
    case fit
  }

  public var kind: Kind
  /// The index of the layer in the list, counted from 1.
  public var position: Int
  /// The text of the layer; for a layer inside a link, the text of the link.
  public var layer: String
  /// What is wrong: the last part of `description`.
  public var reason: String
}

extension LayerListError: CustomStringConvertible {
  public var description: String {
    "layer \(position) (\(layer.printable(limit: 120))): \(reason.printable(limit: 1000))"
  }
}

// MARK: - Text

extension LayerList: CustomStringConvertible {
  /// The text of the list in the grammar above, without default values. Parsing the text returns an equal list.
  public var description: String { layers.map(\.description).joined(separator: ", ") }
}

extension LayerList.Size: CustomStringConvertible {
  public var description: String { height == width ? "\(height)" : "\(height)x\(width)" }
}

extension LayerList.Layer: CustomStringConvertible {
  public var description: String {
    switch self {
    case .convolution(let layer):
      var words = "conv \(layer.filters) \(layer.kernel.height)x\(layer.kernel.width)"
      if layer.stride != .init(1, 1) { words += " stride \(layer.stride)" }
      if layer.padding != .init(0, 0) { words += " pad \(layer.padding?.description ?? "same")" }
      if layer.dilation != .init(1, 1) { words += " dilation \(layer.dilation)" }
      if layer.groups != 1 { words += " groups \(layer.groups)" }
      return layer.hasBias ? words : words + " no-bias"
    case .pooling(let layer):
      var words = (layer.kind == .maximum ? "pool " : "avgpool ") + layer.window.description
      if layer.stride != layer.window { words += " stride \(layer.stride)" }
      return layer.padding == .init(0, 0) ? words : words + " pad \(layer.padding)"
    case .globalPooling: return "globalpool"
    case .dense(let units, let hasBias): return "dense \(units)" + (hasBias ? "" : " no-bias")
    case .flatten: return "flatten"
    case .batchNorm: return "batchnorm"
    case .dropout(let rate): return "dropout \(rate)"
    case .rows: return "rows"
    case .recurrent(let layer):
      var words = "\(layer.kind) \(layer.units)"
      if layer.layers != 1 { words += " layers \(layer.layers)" }
      if layer.isBidirectional { words += " both" }
      if layer.givesAll { words += " all" }
      return layer.hasBias ? words : words + " no-bias"
    case .activation(let function): return function.rawValue
    case .link(let link): return "\(link.kind) (\(link.branches.map(\.description).joined(separator: " | ")))"
    }
  }
}
