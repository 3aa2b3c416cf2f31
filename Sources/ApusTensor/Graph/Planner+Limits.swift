import ApusDevice

extension Planner {
  /// An elementwise program stores at most this many results, so that devices can bound the number of kernel arguments.
  static let maximumResults = 16

  /// Splits groups of fused nodes that have too many operations or results for one program. The members of a group are
  /// in topological order, so the second part of a group may read results of the first, but never the other way round.
  mutating func splitLargeGroups() {
    let count = groups.count
    var index = 0
    while index < groups.count {
      let members = groups[index].segments[0]
      let kept = fittingCount(groups[index])
      if kept < members.count {
        groups[index].segments = [Array(members[..<kept])]
        let rest = Array(members[kept...])
        groups.append(Group(shape: nodes[rest[0]].shape, segments: [rest], last: groups[index].last))
        for node in rest { groupOf[node] = groups.count - 1 }
      }
      index += 1
    }
    guard groups.count > count else { return }
    for index in groups.indices { groups.disconnect(index) }
    for index in groups.indices { for node in groups[index].nodes { connect(node) } }
  }

  /// How many members of a group, counted from the first, fit in one program.
  private func fittingCount(_ group: Group) -> Int {
    let (lead, members) = (group.anchor.map { [$0] } ?? [], group.segments[0])
    guard members.count >= Planner.maximumResults else { return members.count }
    var inside = Set(lead)
    var counts = [stored(lead, inside: inside).count]
    for length in members.indices.prefix(Planner.maximumMembers) {
      inside.insert(members[length])
      counts.append(stored(lead + members[...length], inside: inside).count)
    }
    return counts.lastIndex { $0 <= Planner.maximumResults } ?? 0
  }
}
