import ApusFiles

/// A chain of layers as it is written on a command line:
/// `conv 6 5x5 pad 2, relu, pool 2, conv 16 5x5, relu, pool 2, flatten, dense 120, relu, dense 10`.
///
/// ```
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
/// This is the description alone: it knows shapes, no tensors. `stages(for:)` fits it to an input.
public struct LayerList: Hashable, Sendable {
  /// Height and width.
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
    /// The extent of the filters.
    public var kernel: Size
    /// How far apart neighbouring windows are.
    public var stride = Size(1, 1)
    /// Zeros on each side; `nil` for as many as keep height and width.
    public var padding: Size? = Size(0, 0)
    /// The distance of neighbouring elements under a filter.
    public var dilation = Size(1, 1)
    /// Into how many independent parts the channels are divided.
    public var groups = 1
    /// Whether a bias is added.
    public var hasBias = true

    /// The zeros on each side, with `nil` resolved: `dilation · (kernel − 1) / 2`.
    public var resolvedPadding: Size {
      padding
        ?? Size(dilation.height * (kernel.height - 1) / 2, dilation.width * (kernel.width - 1) / 2)
    }
  }

  /// A pooling over height and width.
  public struct Pooling: Hashable, Sendable {
    /// What is taken of a window.
    public enum Kind: Hashable, Sendable { case maximum, average }

    public var kind: Kind
    /// The extent of a window.
    public var window: Size
    /// How far apart neighbouring windows are.
    public var stride: Size
    /// Elements that are added on each side.
    public var padding = Size(0, 0)
  }

  /// A recurrent layer over a sequence `[time, features]`.
  public struct Recurrent: Hashable, Sendable {
    /// The cells that a layer may have.
    public enum Kind: String, Hashable, Sendable, CaseIterable { case rnn, lstm, gru }

    public var kind: Kind
    /// The extent of the state.
    public var units: Int
    /// How many there are, one after the other.
    public var layers = 1
    /// Whether each layer also runs from the end.
    public var isBidirectional = false
    /// Whether it gives the states of all times, and not the last alone.
    public var givesAll = false
    /// Whether a bias is added.
    public var hasBias = true

    public init(_ kind: Kind, units: Int) {
      self.kind = kind
      self.units = units
    }

    /// The extent of what it gives for a time.
    public var outputCount: Int { units * (isBidirectional ? 2 : 1) }
  }

  /// Chains from the same input, whose outputs become one.
  public struct Link: Hashable, Sendable {
    /// How the outputs become one.
    public enum Kind: String, Hashable, Sendable, CaseIterable {
      /// Their sum.
      case residual
      /// One behind the other, along the channels or features.
      case concat
    }

    public var kind: Kind
    /// The chains. Beside a single one goes the input as it is.
    public var branches: [LayerList]

    public init(_ kind: Kind, _ branches: [LayerList]) {
      self.kind = kind
      self.branches = branches
    }
  }

  /// Functions of single elements, by the name they are written with.
  public enum Activation: String, Hashable, Sendable, CaseIterable {
    case relu, sigmoid, tanh, gelu, silu, elu, selu, softplus
    case leakyRelu = "leaky-relu"
  }

  /// A layer as it is written, with its sizes.
  public enum Layer: Hashable, Sendable {
    case convolution(Convolution)
    case pooling(Pooling)
    /// The mean over height and width.
    case globalPooling
    case dense(units: Int, hasBias: Bool)
    case flatten
    case batchNorm
    case dropout(rate: Double)
    /// An image as the sequence of its rows, `[height, channels · width]`.
    case rows
    case recurrent(Recurrent)
    case activation(Activation)
    case link(Link)
  }

  /// The layers, in the order in which they run.
  public var layers: [Layer]

  public init(_ layers: [Layer]) { self.layers = layers }
}

/// A layer list that cannot be read, or that does not fit.
public struct LayerListError: Error, Hashable, Sendable {
  /// What went wrong.
  public enum Kind: Hashable, Sendable {
    /// The text is not a layer list.
    case grammar
    /// The layers do not fit each other or the input.
    case fit
  }

  public var kind: Kind
  /// Which layer, counted from 1.
  public var position: Int
  /// The layer as it is written; inside of a link, the link.
  public var layer: String
  /// What is wrong with it.
  public var reason: String
}

extension LayerListError: CustomStringConvertible {
  public var description: String {
    "layer \(position) (\(layer.printable(limit: 120))): \(reason.printable(limit: 1000))"
  }
}

// MARK: - Text

extension LayerList: CustomStringConvertible {
  /// The list in the same grammar, defaults left out: parsing it gives an equal list.
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
