import ApusNN
import ApusReports
import ApusTensor

extension ModelGraph {
  /// The layers of a model and the data flow between them. The model runs on a placeholder: nothing is computed.
  ///
  /// Operations between layers (such as activations that are not layers) label the edge into the next layer. Where
  /// values of several layers meet in a sum, a product or a concatenation, that operation is a node.
  /// - Parameters:
  ///   - input: the extents of one example, without the batch.
  ///   - dtype: the type of the elements of an example.
  /// - Throws: `ShapeError` when the layers do not fit each other or the input.
  public init(_ title: String, of model: any Layer, input: [Int], dtype: DType) throws {
    let x = Tensor.zeros(Shape([1] + input), dtype: dtype)
    let layers = try checkingShapes { withMode(.inference) { LayerTrace(of: model, on: x).layers } }
    var ancestry = Ancestry()
    ancestry.note(x, as: -1)
    var nodes: [Node] = []
    for record in layers {
      var (sources, operations) = ancestry.sources(of: record.input)
      if sources.count > 1 {
        nodes.append(ModelGraph.meeting(of: sources, operations, in: nodes, giving: record.input))
        ancestry.note(record.input, as: nodes.count - 1)
        (sources, operations) = ([nodes.count - 1], [])
      }
      nodes.append(
        Node(
          type: record.type, path: record.path,
          output: Array(record.output.shape.dropFirst()),
          parameterCount: record.layer.parameters.reduce(0) { $0 + $1.shape.elementCount }, sources: sources,
          operations: ModelGraph.names(of: operations)))
      ancestry.note(record.output, as: nodes.count - 1)
    }
    self.init(title, input: input, nodes)
  }

  /// A node for the operations that combine values of several layers. Its path is the path of the last of these layers,
  /// with the name of the first operation in place of the layer's own name.
  private static func meeting(
    of sources: [Int], _ operations: [String], in nodes: [Node], giving output: Tensor
  ) -> Node {
    let names = names(of: operations)
    let neighbor = sources.last.flatMap { $0 >= 0 ? nodes[$0].path : nil } ?? ""
    let name = names.first ?? "join"
    return Node(
      type: names.isEmpty ? name : names.joined(separator: ", "),
      path: (neighbor.split(separator: ".").dropLast() + [Substring(name)]).joined(separator: "."),
      output: Array(output.shape.dropFirst()), parameterCount: 0, sources: sources)
  }

  /// The names in `operations`, except operations that supply constants, only change the shape or type, or select or
  /// pad elements. Consecutive repetitions are listed once.
  private static func names(of operations: [String]) -> [String] {
    let silent: Set<String> = [
      "reshape", "transpose", "broadcast", "slice", "constant", "scalar", "cast", "leaf", "index", "pad",
    ]
    return operations.reduce(into: []) { names, name in
      if !silent.contains(name), names.last != name { names.append(name) }
    }
  }
}
