import ApusDevice

extension Planner {
  /// Makes every view a list of layout changes of a value in memory.
  ///
  /// If a view is the only user of an elementwise operation, the view becomes this operation, applied to views of the
  /// operation's inputs. So reshapes and transposes between elementwise operations do not prevent their fusion.
  mutating func moveViews() {
    flattenViews()
    indexUsers()
    absorbTransposes()
    var work = topologicalOrder()
    while let index = work.popLast() {
      guard case .view(let transforms) = nodes[index].kind else { continue }
      let base = nodes[index].inputs[0]
      guard case .elementwise = nodes[base].kind, canMove(transforms, through: base) else { continue }
      work.append(contentsOf: move(transforms, of: index, through: base))
    }
    readAheadOfReshapes()
    splitUnreadableViews()
  }

  /// Turns each view of a view into one view of the value in memory.
  private mutating func flattenViews() {
    for index in topologicalOrder() {
      guard case .view(let transforms) = nodes[index].kind else { continue }
      let base = nodes[index].inputs[0]
      guard case .view(let earlier) = nodes[base].kind else { continue }
      nodes[index].kind = .view(earlier + transforms)
      nodes[index].inputs[0] = nodes[base].inputs[0]
    }
  }

  /// Replaces the transpose of a product by a product of transposes, `(A·B)ᵀ = Bᵀ·Aᵀ`, if the product has no other
  /// user. The operations after the transpose can then be the product's epilogue.
  ///
  /// Weight gradients of dense layers have this form. Casts and other roundings of the product become roundings of the
  /// transposed product. If the transpose reads the product without such roundings, the product may also be an output:
  /// it is then computed in transposed form too, and the output becomes a transposed copy. So the rounding of such a
  /// product does not depend on whether the product is an output.
  private mutating func absorbTransposes() {
    for index in topologicalOrder() {
      guard case .view(let transforms) = nodes[index].kind, transforms.count == 1,
        case .transpose(let permutation) = transforms[0]
      else { continue }
      let rank = permutation.count
      guard rank >= 2, permutation == .exchangingLastTwo(of: rank) else { continue }
      let (base, roundings) = roundedValue(nodes[index].inputs[0])
      guard nodes[base].op === Op.matmul, users[base].count == 1, roundings.isEmpty || !isOutput[base] else { continue }
      let read = nodes[index].inputs[0]
      var view = index
      // The last rounding replaces the view and reads the rounding before it.
      for rounding in roundings {
        let (shape, source) = (nodes[index].shape, append(nodes[index]))
        nodes[view] = nodes[rounding]
        (nodes[view].shape, nodes[view].inputs) = (shape, [source])
        users[source].append(view)
        view = source
      }
      let product = nodes[base]
      let factors = product.inputs.reversed().map { transposedView(of: $0) }
      nodes[view].op = product.op
      nodes[view].attributes = product.attributes
      nodes[view].dtype = product.dtype
      nodes[view].factorDtype = product.factorDtype
      nodes[view].inputTypes = product.inputTypes.reversed()
      nodes[view].inputs = Array(factors)
      nodes[view].kind = product.kind
      for factor in factors {
        for source in nodes[factor].inputs { users[source].append(factor) }
        users[factor].append(view)
      }
      if isOutput[base] { giveOut(base, as: view) }
      removeUse(of: read, by: index)
    }
  }

  /// Follows a chain of casts and other roundings. The chain ends at an output and at a value with several users.
  /// Returns the value before the chain, and the roundings, from the last to the first.
  private func roundedValue(_ node: Int) -> (value: Int, roundings: [Int]) {
    var (value, roundings) = (node, [Int]())
    while nodes[value].op === Op.cast || nodes[value].op === Op.copy, case .elementwise = nodes[value].kind,
      nodes[nodes[value].inputs[0]].shape == nodes[value].shape, users[value].count == 1, !isOutput[value]
    {
      roundings.append(value)
      value = nodes[value].inputs[0]
    }
    return (value, roundings)
  }

  /// Replaces an output by a copy of another node's transpose.
  private mutating func giveOut(_ output: Int, as transposed: Int) {
    let view = transposedView(of: transposed)
    let copy = appendCopy(of: view)
    users[transposed].append(view)
    users[view].append(copy)
    outputs = outputs.map { $0 == output ? copy : $0 }
    (isOutput[output], isOutput[copy]) = (false, true)
  }

  /// Removes an edge from `users`, and the edges of nodes that become unused.
  private mutating func removeUse(of node: Int, by user: Int) {
    var stack = [(node, user)]
    while let (node, user) = stack.popLast() {
      guard let edge = users[node].firstIndex(of: user) else { continue }
      users[node].remove(at: edge)
      if users[node].isEmpty && !isOutput[node] { stack += nodes[node].inputs.map { ($0, node) } }
    }
  }

  /// A view of a matrix with its last two axes exchanged.
  private mutating func transposedView(of input: Int) -> Int {
    var view = nodes[input]
    let rank = view.shape.rank
    let exchange = ViewTransform.transpose(.exchangingLastTwo(of: rank))
    if case .view(let transforms) = view.kind {
      view.kind = .view(transforms + [exchange])
    } else {
      view.kind = .view([exchange])
      view.inputs = [input]
    }
    view.op = .transpose
    (view.shape[rank - 2], view.shape[rank - 1]) = (view.shape[rank - 1], view.shape[rank - 2])
    return append(view)
  }

  private func canMove(_ transforms: [ViewTransform], through base: Int) -> Bool {
    guard users[base].count == 1, !isOutput[base], !followsStep(base) else { return false }
    let isUniformBase = isUniform(base)
    guard let view = transforms.layout(over: nodes[base].shape) else { return false }
    // A base with fewer elements than the view is computed first, so that the view repeats results, not computations.
    guard isUniformBase || view.shape.elementCount <= nodes[base].shape.elementCount else {
      return false
    }
    return nodes[base].inputs.allSatisfy { input in
      isUniform(input) || chain(transforms, of: input, through: base) != nil
    }
  }

  /// Whether an elementwise node can be in the epilogue of a step: it reads the step's result, directly or through
  /// elementwise nodes without other users. A view moved between the step and this node would require the step's result
  /// in memory.
  private func followsStep(_ index: Int) -> Bool {
    var stack = [index]
    for _ in 0..<Planner.maximumMembers {
      guard let node = stack.popLast() else { return false }
      for input in nodes[node].inputs where nodes[input].shape == nodes[index].shape {
        switch nodes[input].kind {
        case .step(let lowering): if lowering.epilogueDomain != nil { return true }
        case .elementwise: if users[input].count == 1, !isOutput[input] { stack.append(input) }
        default: break
        }
      }
    }
    return false
  }

  /// The layout changes that give `input` the same view that `transforms` gives `base`; `nil` if strides cannot
  /// describe them.
  private func chain(_ transforms: [ViewTransform], of input: Int, through base: Int) -> [ViewTransform]? {
    var result: [ViewTransform] = []
    var source = input
    if case .view(let earlier) = nodes[input].kind {
      result = earlier
      source = nodes[input].inputs[0]
    }
    if nodes[input].shape != nodes[base].shape { result.append(.broadcast(nodes[base].shape)) }
    result += transforms
    return result.layout(over: nodes[source].shape) == nil ? nil : result
  }

  /// Turns the view `index` into the operation of `base`, applied to views of the inputs of `base`. Returns the new
  /// views.
  private mutating func move(_ transforms: [ViewTransform], of index: Int, through base: Int) -> [Int] {
    var added: [Int] = []
    let operation = nodes[base]
    let inputs = operation.inputs.map { input -> Int in
      guard !isUniform(input), let chain = chain(transforms, of: input, through: base) else {
        return input
      }
      var source = input
      if case .view = nodes[input].kind { source = nodes[input].inputs[0] }
      var view = nodes[input]
      view.op = .reshape
      view.shape = nodes[index].shape
      view.inputs = [source]
      view.kind = .view(chain)
      let position = append(view)
      added.append(position)
      return position
    }
    for (input, replacement) in zip(operation.inputs, inputs) {
      guard let edge = users[input].firstIndex(of: base) else { continue }
      users[input][edge] = replacement == input ? index : replacement
      if replacement != input { users[replacement] = [index] }
    }
    users[base] = []
    nodes[index].op = operation.op
    nodes[index].attributes = operation.attributes
    nodes[index].inputTypes = operation.inputTypes
    nodes[index].inputs = inputs
    nodes[index].kind = operation.kind
    return added
  }

  /// Strides can describe some views only without their last reshape. If such a view is an input of a concatenation,
  /// the concatenation reads the view without this reshape. It writes the elements to the part of the result that the
  /// input fills, and addresses this part in the shape before the reshape. So merging the heads of attention needs no
  /// copies.
  private mutating func readAheadOfReshapes() {
    for index in topologicalOrder() where nodes[index].op === Op.concatenate {
      let strides = nodes[index].shape.contiguousStrides
      for position in nodes[index].inputs.indices {
        let piece = nodes[nodes[index].inputs[position]]
        guard case .view(let transforms) = piece.kind, case .reshape? = transforms.last else { continue }
        let base = nodes[piece.inputs[0]].shape
        let target = Layout(shape: piece.shape, strides: strides, offset: 0)
        guard transforms.layout(over: base) == nil, let source = transforms.dropLast().layout(over: base),
          target.reshaped(to: source.shape) != nil
        else { continue }
        var view = piece
        view.kind = .view(transforms.dropLast())
        view.shape = source.shape
        nodes[index].inputs[position] = append(view)
      }
    }
  }

  /// Splits each view whose layout changes cannot all be described by one set of strides. Applies as many of the first
  /// changes as strides can describe, and copies the result to memory. The view then applies the other changes to this
  /// copy.
  private mutating func splitUnreadableViews() {
    for index in topologicalOrder() { splitView(index) }
  }

  private mutating func splitView(_ index: Int) {
    guard case .view(let transforms) = nodes[index].kind else { return }
    var layout = Layout(contiguous: nodes[nodes[index].inputs[0]].shape)
    for (position, transform) in transforms.enumerated() {
      if let next = transform.applied(to: layout) {
        layout = next
        continue
      }
      var prefix = nodes[index]
      prefix.kind = .view(Array(transforms[..<position]))
      prefix.shape = layout.shape
      nodes[index].inputs = [appendCopy(of: append(prefix))]
      nodes[index].kind = .view(Array(transforms[position...]))
      // The remaining changes apply to contiguous memory; they may need another split.
      splitView(index)
      return
    }
  }
}
