import ApusSystem
import ApusDevice

/// Nodes that become one step: either an anchor (a reduction, a product or another operation that needs a step of its
/// own) with its prologue (elementwise operations on its input) and epilogue (elementwise operations on its result), or
/// elementwise operations alone.
struct Group {
  /// The shape of the nodes after the anchor, or of all nodes if there is no anchor.
  var shape: Shape
  /// The node of the anchor; `nil` for elementwise operations alone.
  var anchor: Int?
  /// The elementwise nodes that the reduction applies to its input.
  var prologue: [Int] = []
  /// Elementwise nodes, inputs before their users. With an anchor, the only segment is the epilogue. Without an anchor,
  /// there may be several segments, which run the same program (elementwise code) on independent values.
  var segments: [[Int]] = [[]]
  /// Whether elementwise nodes may join the group.
  var isOpen = true
  /// The groups whose results this group reads; the value is `true` if it must read them from memory, not registers.
  fileprivate(set) var dependencies: [Int: Bool] = [:]
  /// The groups that read results of this one.
  fileprivate(set) var dependents: Set<Int> = []
  /// The position of the group's last node in the topological order of the graph.
  var last: Int

  init(shape: Shape, anchor: Int? = nil, segments: [[Int]] = [[]], last: Int) {
    self.shape = shape
    self.anchor = anchor
    self.segments = segments
    self.last = last
  }

  var nodes: [Int] { prologue + (anchor.map { [$0] } ?? []) + segments.joined() }
}

/// The dependency edges between groups. An edge is stored in both groups that it connects, so that merging two groups
/// does not scan all others.
extension [Group] {
  mutating func connect(_ reader: Int, to source: Int, needsMemory: Bool) {
    guard reader != source else { return }
    self[reader].dependencies[source, default: false] = self[reader].dependencies[source, default: false] || needsMemory
    self[source].dependents.insert(reader)
  }

  /// Removes all edges of a group.
  mutating func disconnect(_ group: Int) {
    for source in self[group].dependencies.keys { self[source].dependents.remove(group) }
    for reader in self[group].dependents { self[reader].dependencies[group] = nil }
    self[group].dependencies = [:]
    self[group].dependents = []
  }
}

extension Planner {
  /// The maximum number of nodes in a segment of a group.
  static let maximumMembers = 48
  /// The maximum number of distinct nodes that a segment of a group reads from outside, as `argumentCount` counts them.
  static let maximumArguments = 20
  /// A group is compared with at most this many earlier groups that have an equal program. In a long chain, each group
  /// reads the result of the group before it, so no two groups can be merged. Without a maximum, all pairs of groups
  /// would be compared in vain.
  static let maximumTrials = 8
  /// The maximum number of groups that a path search of `isIndependent` visits.
  static let maximumTrialVisits = 512
  /// The maximum number of groups that any other path search visits.
  static let maximumVisits = 16384

  /// Assigns every node that computes something to a group, except nodes that programs recompute wherever they read
  /// them.
  mutating func formGroups() {
    indexUsers()
    groupOf = Array(repeating: -1, count: nodes.count)
    findRecomputed()
    for (position, node) in topologicalOrder().enumerated() {
      switch nodes[node].kind {
      case .leaf, .scalar, .constant, .index, .view, .customGradientResults, .slab: continue
      case .elementwise:
        if isRecomputed[node] || isUniform(node) && !isOutput[node] && nodes[node].op !== Op.materialize { continue }
        addToGroup(node, at: position)
      case .reduction: startReduction(node, at: position)
      case .step, .loop, .custom: _ = startGroup(node, at: position, anchor: true)
      case .result:
        groupOf[node] = groupOf[nodes[node].inputs[0]]
        groups[groupOf[node]].last = position
      }
    }
    splitLargeGroups()
    mergeEqualPrograms()
  }

  /// The groups that `node` reads from, and whether it needs their results in memory.
  func dependencies(of node: Int) -> [Int: Bool] {
    var result: [Int: Bool] = [:]
    for input in nodes[node].inputs where !isUniform(input) || groupOf[input] >= 0 {
      var source = input
      var needsMemory = nodes[input].shape != nodes[node].shape
      if case .view = nodes[input].kind {
        source = nodes[input].inputs[0]
        needsMemory = true
      }
      switch nodes[node].kind {
      case .step, .loop, .custom: needsMemory = true
      default: break
      }
      let group = groupOf[source]
      if group >= 0 { result[group] = needsMemory || result[group] ?? false }
    }
    return result
  }

  private mutating func startGroup(_ node: Int, at position: Int, anchor: Bool) -> Int {
    var group = Group(shape: nodes[node].shape, last: position)
    if anchor { group.anchor = node } else { group.segments = [[node]] }
    switch nodes[node].kind {
    case .step(let lowering): group.isOpen = lowering.epilogueDomain != nil
    case .loop, .custom: group.isOpen = false
    default: break
    }
    groups.append(group)
    groupOf[node] = groups.count - 1
    connect(node)
    return groups.count - 1
  }

  /// Adds the groups that `node` reads to the dependencies of its group.
  mutating func connect(_ node: Int) {
    for (group, needsMemory) in dependencies(of: node) {
      groups.connect(groupOf[node], to: group, needsMemory: needsMemory)
    }
  }

  // MARK: - Elementwise

  private mutating func addToGroup(_ node: Int, at position: Int) {
    let read = dependencies(of: node)
    var candidates = read.keys.filter { group in
      groups[group].isOpen && groups[group].shape == nodes[node].shape
        && groups[group].segments[0].count < Planner.maximumMembers && canJoin(node, group, read)
    }
    // Groups with an anchor come first: an epilogue costs no additional pass over memory.
    candidates.sort { (groups[$0].anchor == nil ? 1 : 0, $0) < (groups[$1].anchor == nil ? 1 : 0, $1) }
    guard let target = candidates.first else {
      _ = startGroup(node, at: position, anchor: false)
      return
    }
    for other in candidates.dropFirst() where groups[other].anchor == nil && canMerge(target, other) {
      merge(other, into: target)
    }
    groups[target].segments[0].append(node)
    groups[target].last = position
    groupOf[node] = target
    connect(node)
  }

  private func canJoin(_ node: Int, _ target: Int, _ read: [Int: Bool]) -> Bool {
    for (group, needsMemory) in read {
      if group == target {
        if needsMemory { return false }
      } else if reaches(group, target) {
        return false
      }
    }
    guard argumentCount(groups[target].segments[0] + [node]) <= Planner.maximumArguments else {
      return false
    }
    guard let anchor = groups[target].anchor, case .step(let lowering) = nodes[anchor].kind,
      let domain = lowering.epilogueDomain?(nodes[anchor])
    else { return true }
    return reads(of: node).allSatisfy { input in
      isUniform(input) || layout(of: input, over: nodes[node].shape).reshaped(to: domain) != nil
    }
  }

  /// The number of distinct nodes outside of `members`, stored or recomputed, that `members` read. Uniform nodes, which
  /// have the same value at all elements, do not count.
  private func argumentCount(_ members: [Int]) -> Int {
    let inside = Set(members)
    var outside = Set<Int>()
    for member in members {
      for input in nodes[member].inputs where !inside.contains(input) && !isUniform(input) {
        outside.insert(input)
      }
    }
    return outside.count
  }

  /// Whether two groups can be merged: no dependency path leads from one to the other through a third group or through
  /// memory, and the merged group stays within the limits.
  private func canMerge(_ one: Int, _ other: Int) -> Bool {
    let members = groups[one].segments[0] + groups[other].segments[0]
    guard members.count <= Planner.maximumMembers else { return false }
    for (from, to) in [(one, other), (other, one)] {
      for (group, needsMemory) in groups[from].dependencies {
        if group == to {
          if needsMemory { return false }
        } else if reaches(group, to) {
          return false
        }
      }
    }
    return argumentCount(members) <= Planner.maximumArguments
  }

  /// Whether `group` needs the results of `target`, directly or through others; also `true` if the bounded search does
  /// not finish.
  private func reaches(_ group: Int, _ target: Int, visits: Int = Planner.maximumVisits) -> Bool {
    if group == target { return true }
    guard !groups[target].dependents.isEmpty else { return false }
    var seen = Set([group])
    var stack = [group]
    while let current = stack.popLast() {
      for next in groups[current].dependencies.keys {
        if next == target { return true }
        if seen.insert(next).inserted { stack.append(next) }
      }
      if seen.count > visits { return true }
    }
    return false
  }

  /// Moves the nodes of one group to another. `asSegment` keeps them in a separate segment.
  private mutating func merge(_ source: Int, into target: Int, asSegment: Bool = false) {
    for node in groups[source].nodes { groupOf[node] = target }
    if asSegment {
      groups[target].segments += groups[source].segments
    } else {
      groups[target].segments[0] = inTopologicalOrder(
        groups[target].segments[0] + groups[source].segments[0])
    }
    groups[target].last = max(groups[target].last, groups[source].last)
    let (dependencies, dependents) = (groups[source].dependencies, groups[source].dependents)
    let needsMemory = dependents.map { ($0, groups[$0].dependencies[source]!) }
    groups.disconnect(source)
    for (group, needsMemory) in dependencies { groups.connect(target, to: group, needsMemory: needsMemory) }
    for (group, needsMemory) in needsMemory { groups.connect(group, to: target, needsMemory: needsMemory) }
    groups[source].segments = [[]]
  }

  private func inTopologicalOrder(_ members: [Int]) -> [Int] {
    let inside = Set(members)
    var seen = Set<Int>()
    var order: [Int] = []
    var traversal = Traversal<Int>()
    for member in members {
      traversal.run(from: member) { node, index in
        index < nodes[node].inputs.count ? nodes[node].inputs[index] : nil
      } enter: { node, _ in
        inside.contains(node) && seen.insert(node).inserted
      } leave: { node in
        order.append(node)
      }
    }
    return order
  }

  // MARK: - Reductions

  /// Starts the group of a reduction. An elementwise group that only the reduction reads becomes its prologue.
  private mutating func startReduction(_ node: Int, at position: Int) {
    let input = nodes[node].inputs[0]
    let group = groupOf[input]
    guard group >= 0, groups[group].anchor == nil, groups[group].shape == nodes[input].shape,
      groups[group].segments[0].allSatisfy({ member in
        !isOutput[member] && users[member].allSatisfy { $0 == node || groupOf[$0] == group }
      })
    else {
      _ = startGroup(node, at: position, anchor: true)
      return
    }
    groups[group].prologue = groups[group].segments[0]
    groups[group].segments = [[]]
    groups[group].anchor = node
    groups[group].shape = nodes[node].shape
    groups[group].last = position
    groupOf[node] = group
  }

  // MARK: - Equal programs

  /// Merges elementwise groups that run the same program on independent values into one step.
  private mutating func mergeEqualPrograms() {
    var byProgram: [Program: [Int]] = [:]
    var programs: [Program] = []
    for group in groups.indices where groups[group].anchor == nil && !groups[group].segments[0].isEmpty {
      let program = elementwise(groups[group].segments[0]).program
      if byProgram[program] == nil { programs.append(program) }
      byProgram[program, default: []].append(group)
    }
    for program in programs {
      var targets: [Int] = []
      for group in byProgram[program]! {
        if let target = targets.suffix(Planner.maximumTrials).last(where: { isIndependent($0, group) }) {
          merge(group, into: target, asSegment: true)
        } else {
          targets.append(group)
        }
      }
    }
  }

  private func isIndependent(_ one: Int, _ later: Int) -> Bool {
    let visits = Planner.maximumTrialVisits
    return groups[one].segments.count < 1024 && !reaches(later, one, visits: visits)
      && !reaches(one, later, visits: visits)
  }

  /// Whether a group may fail on an invalid index.
  func isChecking(_ group: Int) -> Bool { groups[group].anchor.map(checking.contains) ?? false }

  /// The groups in topological order. Groups that may fail on an invalid index come as early as possible: a run that
  /// fails must leave its inputs unchanged, so inputs may be overwritten only after these groups.
  func scheduledGroups() -> [Int] {
    var order: [Int] = []
    var seen = Set<Int>()
    let roots = groups.indices.filter { !groups[$0].nodes.isEmpty }.sortedArray {
      (isChecking($0) ? 0 : 1, groups[$0].last) < (isChecking($1) ? 0 : 1, groups[$1].last)
    }
    let dependencies = groups.indices.map(sortedDependencies)
    var traversal = Traversal<Int>()
    for root in roots {
      traversal.run(from: root) { group, index in
        index < dependencies[group].count ? dependencies[group][index] : nil
      } enter: { group, _ in
        seen.insert(group).inserted
      } leave: { group in
        order.append(group)
      }
    }
    return order
  }

  /// The dependencies of a group, in the order in which to compute them.
  private func sortedDependencies(_ group: Int) -> [Int] {
    groups[group].dependencies.keys.sortedArray { (groups[$0].last, $0) < (groups[$1].last, $1) }
  }
}
