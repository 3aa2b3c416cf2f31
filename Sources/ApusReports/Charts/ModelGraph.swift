import ApusSystem

/// The layers of a model as boxes, with the data flow between them.
public struct ModelGraph: Chart {
  /// A layer, or a group of layers.
  public struct Node: Hashable, Sendable {
    /// The type of the layer.
    public var type: String
    /// The path of the layer in the model, with dots between the levels.
    public var path: String
    /// The extents of the output for one example, without the batch.
    public var output: [Int]
    /// The number of elements in the parameters.
    public var parameterCount: Int
    /// The indices of the nodes whose outputs the layer uses; −1 is the input of the model.
    public var sources: [Int]
    /// The names of the operations that run between the sources and this layer and belong to no layer: `relu`, `add`, …
    public var operations: [String]

    public init(
      type: String, path: String, output: [Int], parameterCount: Int, sources: [Int], operations: [String] = []
    ) {
      self.type = type
      self.path = path
      self.output = output
      self.parameterCount = parameterCount
      self.sources = sources
      self.operations = operations
    }
  }

  /// The text above the drawing in an SVG file; in a report, the caption of the figure.
  public var title: String
  /// The extents of one example.
  public var input: [Int]
  /// The layers in the order in which they run.
  public private(set) var nodes: [Node]

  /// Creates a graph of layers, each of which uses the outputs of earlier ones.
  /// - Precondition: the sources of a layer precede it in the list.
  public init(_ title: String, input: [Int], _ nodes: [Node]) {
    guard nodes.enumerated().allSatisfy({ index, node in node.sources.allSatisfy { (-1..<index).contains($0) } }) else {
      fatalError("ModelGraph: a layer uses the output of a layer that runs later")
    }
    self.title = title
    self.input = input
    self.nodes = nodes
  }

  /// The graph itself if it has at most `limit` boxes. Otherwise, neighboring layers of one submodule are merged into
  /// one box. All these submodules are on the same level of nesting: the finest level that gives at most `limit` boxes,
  /// or the coarsest level if all levels give more.
  public func grouped(limit: Int) -> ModelGraph {
    let depth = nodes.map { $0.path.split(separator: ".").count }.max() ?? 0
    var graph = self
    for level in stride(from: depth - 1, to: 0, by: -1) where graph.nodes.count > limit {
      graph = grouped(level: level)
    }
    return graph
  }

  /// Merges neighbors whose paths have the same first `level` names.
  private func grouped(level: Int) -> ModelGraph {
    var groups: [(key: String, members: [Int])] = []
    for (index, node) in nodes.enumerated() {
      let parts = node.path.split(separator: ".")
      let key = parts.prefix(level).joined(separator: ".")
      if parts.count > level, let last = groups.last, last.key == key {
        groups[groups.count - 1].members.append(index)
      } else {
        // A layer that is not in a submodule of this level stays alone, under a key that no group has.
        groups.append((parts.count > level ? key : "\(key)\u{0}", [index]))
      }
    }
    var groupIndex: [Int: Int] = [-1: -1]
    for (number, group) in groups.enumerated() { for member in group.members { groupIndex[member] = number } }
    let joined = groups.enumerated().map { number, group -> Node in
      guard group.members.count > 1, let last = group.members.last else {
        var node = nodes[group.members[0]]
        node.sources = Set(node.sources.compactMap { groupIndex[$0] }).sorted()
        return node
      }
      let members = group.members.map { nodes[$0] }
      let sources = Set(members.flatMap(\.sources).compactMap { groupIndex[$0] }).filter { $0 < number }
      let kinds = members.map(\.type).reduce(into: [String]()) { if !$0.contains($1) { $0.append($1) } }
      let more = kinds.count > 3 ? ", …" : ""
      return Node(
        type: "\(members.count) layers: \(kinds.prefix(3).joined(separator: ", "))\(more)", path: group.key,
        output: nodes[last].output, parameterCount: members.reduce(0) { $0 + $1.parameterCount },
        sources: sources.sorted(), operations: members[0].operations)
    }
    return ModelGraph(title, input: input, joined)
  }

  public func drawing(width: Double) -> Drawing { ModelGraphLayout(self, width: width).drawing }
}

/// The layout of boxes and edges: the boxes are below each other, and edges that skip a box run on vertical lines
/// (lanes) to the right of the boxes.
private struct ModelGraphLayout {
  /// The edges from one box to the boxes that use its output and do not follow it directly. These edges share a
  /// vertical line.
  struct Lane {
    var source: Int
    var targets: [Int]
    /// The position of the vertical line, from 0 next to the boxes.
    var track: Int
  }

  private let graph: ModelGraph
  private let boxWidth: Double
  private let lanes: [Lane]
  /// The width of all tracks.
  private let tracks: Double
  /// In pixels: the height of a box, the gap between two boxes, and the distance between neighboring tracks.
  private static let (box, gap, pitch) = (38.0, 26.0, 11.0)

  init(_ graph: ModelGraph, width: Double) {
    self.graph = graph
    lanes = ModelGraphLayout.lanes(of: graph)
    tracks = Double((lanes.map(\.track).max() ?? -1) + 1) * ModelGraphLayout.pitch
    boxWidth = min(max(width - tracks - 20, 220), 340)
  }

  /// The lanes of the edges that do not lead to the next box. Lanes that do not overlap share a track.
  private static func lanes(of graph: ModelGraph) -> [Lane] {
    var targets: [Int: [Int]] = [:]
    for (index, node) in graph.nodes.enumerated() {
      for source in node.sources where source != index - 1 { targets[source, default: []].append(index) }
    }
    var ends: [Int] = []
    var lanes: [Lane] = []
    for (source, reached) in targets.sortedArray(by: { $0.key < $1.key }) {
      let last = reached.max() ?? source
      let track = ends.firstIndex { $0 < source } ?? ends.count
      if track == ends.count { ends.append(last) } else { ends[track] = last }
      lanes.append(Lane(source: source, targets: reached, track: track))
    }
    return lanes
  }

  /// The upper edge of a box; −1 is the input.
  private func top(_ index: Int) -> Double { Double(index + 1) * (ModelGraphLayout.box + ModelGraphLayout.gap) + 1 }

  var drawing: Drawing {
    var content = box(-1, "input", "", extents(graph.input))
    for (index, node) in graph.nodes.enumerated() {
      let count = node.parameterCount > 0 ? "\(node.parameterCount.grouped) parameters" : ""
      let below = [extents(node.output), count].filter { !$0.isEmpty }.joined(separator: "  ·  ")
      content += box(index, node.type, node.path, below)
      content += way(to: index, node)
    }
    for lane in lanes { content += markup(of: lane) }
    return Drawing(
      width: boxWidth + (tracks > 0 ? tracks + 10 : 2), height: top(graph.nodes.count - 1) + ModelGraphLayout.box + 2,
      content: content)
  }

  private func extents(_ extents: [Int]) -> String {
    extents.isEmpty ? "one number" : extents.map(String.init).joined(separator: " × ")
  }

  private func box(_ index: Int, _ type: String, _ path: String, _ below: String) -> Markup {
    let y = top(index)
    var markup = Markup.rectangle(
      "box", Pixel(x: 1, y: y), width: boxWidth, height: ModelGraphLayout.box, rounding: 4,
      note: [type, path, below].filter { !$0.isEmpty }.joined(separator: "\n"))
    let name = TextExtent.fittingEnd(path, boxWidth * 0.5, size: TextExtent.small)
    // Bold letters are wider.
    let room = (boxWidth - 30 - TextExtent.width(name, size: TextExtent.small)) / 1.08
    markup += .label("strong free", 11, y + 16, TextExtent.fitting(type, room))
    markup += .label("small muted end free", boxWidth - 9, y + 16, name)
    let line = TextExtent.fitting(below, boxWidth - 22, size: TextExtent.small)
    return markup + .label("small muted free", 11, y + 31, line)
  }

  /// The edge from the box above, and the operations on the edges into a box.
  private func way(to index: Int, _ node: ModelGraph.Node) -> Markup {
    let (x, y) = (boxWidth / 2, top(index))
    var markup = Markup()
    if node.sources.contains(index - 1) {
      markup += .line("edge", Pixel(x: x, y: y - ModelGraphLayout.gap), Pixel(x: x, y: y - 5))
      markup += .triangle("tip", Pixel(x: x, y: y), Pixel(x: x - 3.5, y: y - 6), Pixel(x: x + 3.5, y: y - 6))
    }
    guard !node.operations.isEmpty else { return markup }
    let text = TextExtent.fitting(node.operations.joined(separator: ", "), boxWidth / 2 - 20, size: TextExtent.small)
    return markup + .label("small muted", x + 10, y - 9, text)
  }

  private func markup(of lane: Lane) -> Markup {
    let x = boxWidth + 15 + Double(lane.track) * ModelGraphLayout.pitch
    let start = top(lane.source) + ModelGraphLayout.box * 0.72
    let right = boxWidth + 1
    let end = top(lane.targets.max() ?? lane.source) + ModelGraphLayout.box * 0.28
    var path = "M\(right.coordinate) \(start.coordinate)H\((x - 4).coordinate)q4 0 4 4V\((end - 4).coordinate)q0 4 -4 4"
    var tips = Markup()
    for target in lane.targets {
      let y = top(target) + ModelGraphLayout.box * 0.28
      if target == lane.targets.max() {
        path += "H\((right + 5).coordinate)"
      } else {
        path += "M\(x.coordinate) \(y.coordinate)H\((right + 5).coordinate)"
        tips += .dot("tip", Pixel(x: x, y: y), radius: 2)
      }
      tips += .triangle(
        "tip", Pixel(x: right, y: y), Pixel(x: right + 6, y: y - 3.5), Pixel(x: right + 6, y: y + 3.5))
    }
    return .path("edge", path) + tips
  }
}
